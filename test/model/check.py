#!/usr/bin/env python3
"""Compare the rows of a service with the newest installed public API model.

    check.py [--rows DIR] [--model service-2.json] [--query-model service-2.json]

Every operation, every input and output member (nested ones too) and every
exception of the model must be a row in ops.def, shapes.def or errors.def, or
be named in unsupported.def with a reason:

    UNSUPPORTED("SendMessage", "reason")                 an operation
    UNSUPPORTED("SendMessage.in.MessageBody", "reason")  a member, by its path
    UNSUPPORTED("error.KmsThrottled", "reason")          an exception

A row the model does not know is a mistake too (a misspelt name), and so is an
entry of unsupported.def that names something which has a row.  A model of the
older Query protocol, when given, checks the flattened names of lists and maps.

The page of the service (doc/sqs.md) must name every operation, every exception
and every value of the model's enumerations of attributes.

The model is the one of the botocore that this python has, unless --model names
one.  Exit status: 0 no difference, 1 differences, 2 nothing to compare.
"""

import argparse
import gzip
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPTH_MAX = 8

KINDS = {
    "string": "STR", "timestamp": "STR", "blob": "BLOB", "integer": "INT", "long": "INT", "boolean": "BOOL",
    "list": "LIST", "map": "MAP", "structure": "STRUCT",
}


# ---- rows -----------------------------------------------------------------

def without_comments(text):
    """C comments off; strings untouched."""
    return re.sub(r'("(?:\\.|[^"\\])*")|/\*.*?\*/|//[^\n]*', lambda match: match.group(1) or " ", text, flags=re.S)


def calls(text):
    """Every NAME(...) at the top level: (name, [arguments as text])."""
    text = without_comments(text)
    for match in re.finditer(r"^[ \t]*([A-Z][A-Z0-9_]*)\s*\(", text, re.M):
        arguments, current, depth, index = [], "", 1, match.end()
        while index < len(text) and depth:
            char = text[index]
            if char == '"':
                string = re.compile(r'"(?:\\.|[^"\\])*"').match(text, index)
                current += string.group()
                index = string.end()
                continue
            depth += char in "([{"
            depth -= char in ")]}"
            if depth == 1 and char == ",":
                arguments.append(current.strip())
                current = ""
            elif depth:
                current += char
            index += 1
        if current.strip():
            arguments.append(current.strip())
        yield match.group(1), arguments


def literal(text):
    """The value of adjacent C string literals."""
    parts = re.findall(r'"((?:\\.|[^"\\])*)"', text)
    return "".join(parts).replace('\\"', '"') if parts else None


def option(arguments, key):
    for argument in arguments:
        match = re.match(rf"\.{key}\s*=\s*(.*)$", argument, re.S)
        if match:
            return match.group(1).strip()
    return None


class Field:
    def __init__(self, arguments):
        self.member, self.kind, self.wire = arguments[0], arguments[1], literal(arguments[2])
        of = option(arguments[3:], "of")
        self.of = re.sub(r"^&|_shape$", "", of) if of else None
        self.query = literal(option(arguments[3:], "query") or "")
        self.query_key = literal(option(arguments[3:], "query_key") or "")
        self.query_value = literal(option(arguments[3:], "query_value") or "")


class Rows:
    def __init__(self, directory):
        self.shapes, self.ops, self.errors, self.unsupported = {}, {}, set(), {}
        for name, arguments in self.read(directory / "shapes.def", required=True):
            if name == "SHAPE":
                open_shape = self.shapes.setdefault(arguments[0], {})
            elif name == "FIELD":
                field = Field(arguments)
                open_shape[field.wire] = field
        for name, arguments in self.read(directory / "ops.def", required=True):
            if name == "OP":
                self.ops[literal(arguments[1])] = arguments[0]
        for name, arguments in self.read(directory / "errors.def"):
            if name == "ERROR":
                self.errors.add(literal(arguments[1]))
        for name, arguments in self.read(directory / "unsupported.def"):
            if name == "UNSUPPORTED":
                self.unsupported[literal(arguments[0])] = literal(arguments[1]) if len(arguments) > 1 else None

    @staticmethod
    def read(path, required=False):
        if not path.exists():
            if required:
                sys.exit(f"model: {path} is missing")
            return []
        return list(calls(path.read_text()))


# ---- the model ------------------------------------------------------------

def load_model(path):
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as stream:
        return json.load(stream)


def installed_model(service):
    try:
        import botocore
    except ImportError:
        return None
    found = sorted(pathlib.Path(botocore.__file__).parent.glob(f"data/{service}/*/service-2.json*"))
    return found[-1] if found else None


# ---- comparison -----------------------------------------------------------

class Check:
    def __init__(self, rows, model):
        self.rows, self.model = rows, model
        self.problems, self.compared, self.excused = [], 0, set()

    def lacks(self, path, what):
        """The model has `path`, the rows do not: fine only with a reason."""
        reason = self.rows.unsupported.get(path)
        if reason:
            self.excused.add(path)
        elif path in self.rows.unsupported:
            self.problems.append(f"{path}: listed as unsupported without a reason")
        else:
            self.problems.append(f"{path}: {what}")

    def operations(self):
        for name, operation in sorted(self.model["operations"].items()):
            self.compared += 1
            function = self.rows.ops.get(name)
            if function is None:
                self.lacks(name, "no row in ops.def")
                continue
            for side, key in (("in", "input"), ("out", "output")):
                shape = f"{function}_{side}"
                if shape not in self.rows.shapes:
                    self.problems.append(f"{name}: no shape {shape} in shapes.def")
                elif key in operation:
                    self.structure(f"{name}.{side}", operation[key]["shape"], shape, 0)
                elif self.rows.shapes[shape]:
                    self.problems.append(f"{name}.{side}: has fields, the model has none")
        for name in sorted(set(self.rows.ops) - set(self.model["operations"])):
            self.problems.append(f"{name}: a row in ops.def that the model does not know")

    def structure(self, path, model_name, row_name, depth):
        if depth > DEPTH_MAX:
            self.problems.append(f"{path}: nested more than {DEPTH_MAX} deep")
            return
        members, fields = self.model["shapes"][model_name].get("members", {}), self.rows.shapes[row_name]
        for name, reference in sorted(members.items()):
            self.compared += 1
            if name in fields:
                self.member(f"{path}.{name}", reference["shape"], fields[name], depth)
            else:
                self.lacks(f"{path}.{name}", f"no FIELD in {row_name}")
        for name in sorted(set(fields) - set(members)):
            self.problems.append(f"{path}.{name}: a FIELD of {row_name} that the model does not know")

    def member(self, path, model_name, field, depth):
        shape = self.model["shapes"][model_name]
        expected = KINDS.get(shape["type"])
        if field.kind != expected:
            self.problems.append(f"{path}: {field.kind} in the rows, {expected} in the model")
            return
        inner = model_name
        if shape["type"] == "list":
            inner = shape["member"]["shape"]
        elif shape["type"] == "map":
            inner = shape["value"]["shape"]
        is_nested = self.model["shapes"][inner]["type"] == "structure"
        if is_nested and not field.of:
            self.problems.append(f"{path}: holds {inner}, but the FIELD has no .of")
        elif field.of and not is_nested:
            self.problems.append(f"{path}: the FIELD has .of, but the model holds no structure")
        elif field.of and field.of not in self.rows.shapes:
            self.problems.append(f"{path}: .of names {field.of}, which is no SHAPE")
        elif field.of:
            self.structure(path, inner, field.of, depth + 1)

    def exceptions(self):
        if not self.rows.errors:
            return
        for name, shape in sorted(self.model["shapes"].items()):
            if shape.get("exception"):
                self.compared += 1
                if name not in self.rows.errors:
                    self.lacks(f"error.{name}", "no row in errors.def")

    def idle_excuses(self):
        for path in sorted(set(self.rows.unsupported) - self.excused):
            self.problems.append(f"{path}: in unsupported.def, but nothing of that name is missing")


class QueryCheck:
    """Names of the Query protocol: Attribute.N.Name, AttributeName.N and so on."""

    def __init__(self, rows, model):
        self.rows, self.model = rows, model
        self.problems, self.compared = [], 0

    def operations(self):
        for name, operation in sorted(self.model["operations"].items()):
            function = self.rows.ops.get(name)
            for side, key in (("in", "input"), ("out", "output")):
                if function and key in operation and f"{function}_{side}" in self.rows.shapes:
                    self.structure(f"{name}.{side}", operation[key]["shape"], f"{function}_{side}", 0)

    def structure(self, path, model_name, row_name, depth):
        fields = self.rows.shapes.get(row_name, {})
        for name, reference in sorted(self.model["shapes"][model_name].get("members", {}).items()):
            if name in fields and depth <= DEPTH_MAX:
                self.member(f"{path}.{name}", name, reference, fields[name], depth)

    def member(self, path, name, reference, field, depth):
        shape = self.model["shapes"][reference["shape"]]
        expected = reference.get("locationName", shape.get("locationName", name))
        inner = reference["shape"]
        if shape["type"] == "list":
            inner = shape["member"]["shape"]
            if "locationName" not in reference:
                expected = shape["member"].get("locationName", expected)
        elif shape["type"] == "map":
            inner = shape["value"]["shape"]
            self.equal(path + " key", shape["key"].get("locationName", "key"), field.query_key)
            self.equal(path + " value", shape["value"].get("locationName", "value"), field.query_value)
        self.equal(path, expected, field.query or field.wire)
        if field.of and self.model["shapes"][inner]["type"] == "structure":
            self.structure(path, inner, field.of, depth + 1)

    def equal(self, path, expected, found):
        self.compared += 1
        if expected != found:
            self.problems.append(f"{path}: Query name {found!r} in the rows, {expected!r} in the model")


def unnamed(page, model):
    """What the page of the service does not mention."""
    shapes = model["shapes"]
    wanted = set(model["operations"]) | {name for name, shape in shapes.items() if shape.get("exception")}
    wanted |= {value for name, shape in shapes.items() if name.endswith("AttributeName") for value in shape.get("enum", ())}
    return sorted(wanted - set(re.findall(r"\w+", page.read_text()))), len(wanted)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=pathlib.Path, default=ROOT / "src/service/sqs", help="folder with the .def files")
    parser.add_argument("--service", default="sqs", help="name of the service in botocore")
    parser.add_argument("--page", type=pathlib.Path, default=ROOT / "doc/sqs.md", help="what must name everything")
    parser.add_argument("--model", type=pathlib.Path, help="service-2.json; default: the installed botocore's")
    parser.add_argument("--query-model", type=pathlib.Path, help="service-2.json of an older botocore, Query protocol")
    options = parser.parse_args()

    path = options.model or installed_model(options.service)
    if path is None:
        print("model: SKIPPED: no botocore in this python, and no --model")
        return 2
    rows, model = Rows(options.rows), load_model(path)
    check = Check(rows, model)
    check.operations()
    check.exceptions()
    check.idle_excuses()
    missing, named = unnamed(options.page, model)
    problems = check.problems + [f"{name}: {options.page.name} does not name it" for name in missing]
    compared = check.compared + named
    if options.query_model:
        query = QueryCheck(rows, load_model(options.query_model))
        query.operations()
        problems, compared = problems + query.problems, compared + query.compared
    for problem in problems:
        print("model:", problem)
    print(f"model: {compared} compared, {len(problems)} differences, {len(check.excused)} unsupported with a reason")
    return 1 if problems or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
