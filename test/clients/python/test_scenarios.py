"""The list of scenarios and the tests name each other."""

import pathlib
import re

CLIENTS = pathlib.Path(__file__).resolve().parent.parent
SOURCES = {".py", ".mjs", ".java", ".go"}


def listed():
    return re.findall(r"^\| ([A-Z]\d\d) \|", (CLIENTS / "scenarios.md").read_text(), re.M)


def used():
    found = {}
    for path in CLIENTS.rglob("*"):
        if path.suffix not in SOURCES or "node_modules" in path.parts:
            continue
        text = path.read_text()
        titles = re.findall(r"(?:def test|\w)_([a-z]\d\d)(?=_\w*\()", text)
        titles += re.findall(r"\"([A-Z]\d\d(?: and [A-Z]\d\d)*) ", text)
        titles += re.findall(r"func Test((?:[A-Z]\d\d)+)", text)
        names = [item for title in titles for item in re.findall(r"[A-Za-z]\d\d", title)]
        for item in names:
            found.setdefault(item.upper(), set()).add(path.relative_to(CLIENTS).parts[0])
    return found


def test_every_scenario_is_tested_and_every_test_is_listed():
    ids = listed()
    assert len(ids) == len(set(ids))
    assert set(ids) == set(used())


def test_python_runs_every_scenario_of_the_api():
    of_api = {item for item in listed() if item[0] not in "WC"}
    assert of_api <= {item for item, where in used().items() if "python" in where}


def test_the_letters_of_a_row_are_the_clients_that_run_it():
    letters = {"c": "cli", "j": "javascript", "v": "java", "g": "go"}
    found = used()
    rows = re.findall(r"^\| ([A-Z]\d\d) \|.*\| ([a-z ]*)\|$", (CLIENTS / "scenarios.md").read_text(), re.M)
    assert len(rows) == len(listed())
    for item, marks in rows:
        assert {letters[mark] for mark in marks.split()} == found[item] & set(letters.values()), item
