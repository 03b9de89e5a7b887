#!/usr/bin/env python3
"""Checks that every #include looks down the layer table, and that only sys, net, http, server and tests see the kernel.

A layer may use itself and those named before it in its row. Services never include each other.
"""
import pathlib
import re
import sys

MAY_USE = {
    "base": [],
    "sys": ["base"],
    "codec": ["base"],
    "crypto": ["base", "sys"],
    "net": ["base", "sys", "crypto"],
    "http": ["base", "sys", "codec", "net"],
    "store": ["base", "sys", "crypto"],
    "auth": ["base", "sys", "codec", "crypto"],
    "api": ["base", "sys", "codec", "crypto", "net", "http", "store", "auth"],
    "service": ["base", "sys", "codec", "crypto", "store", "auth", "api"],
    "server": ["base", "sys", "codec", "crypto", "net", "http", "store", "auth", "api", "service"],
    "cli": ["base", "sys", "store", "api", "server"],
}
KERNEL = {"sys/socket.h", "sys/epoll.h", "sys/eventfd.h", "sys/mman.h", "fcntl.h", "netinet/in.h", "netinet/tcp.h", "arpa/inet.h", "netdb.h"}
MAY_SEE_KERNEL = {"sys", "net", "http", "server"}
LIBCRYPTO = re.compile(r"openssl/")


def layer_of(path):
    return path.parts[0]


def problems(root):
    for path in sorted(root.rglob("*")):
        if path.suffix not in (".c", ".h", ".def", ".inc"):
            continue
        relative = path.relative_to(root)
        layer = layer_of(relative)
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
            if not found:
                continue
            kind, name = found.groups()
            where = f"{path}:{number}"
            if kind == '"':
                target = name.split("/")[0]
                if target not in MAY_USE:
                    yield f"{where}: include \"{name}\" from src/, with its layer"
                elif target != layer and target not in MAY_USE[layer]:
                    yield f"{where}: {layer} may not use {target}"
                elif target == "service" and layer == "service" and name.split("/")[1] != relative.parts[1]:
                    yield f"{where}: services do not include each other"
            elif name in KERNEL and layer not in MAY_SEE_KERNEL:
                yield f"{where}: only {', '.join(sorted(MAY_SEE_KERNEL))} see <{name}>"
            elif LIBCRYPTO.match(name) and not (layer == "crypto" or str(relative).startswith("net/tls")):
                yield f"{where}: only crypto and net/tls see libcrypto"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent / "src"
    found = list(problems(root))
    for line in found:
        print(line)
    print(f"layers: {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
