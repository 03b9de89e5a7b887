"""process.py: what tests look at in a server's process, and what a sanitizer says at its end."""

import re


def resident_bytes(pid):
    with open("/proc/%d/status" % pid) as f:
        return [int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS")][0]


def is_sanitized(pid):
    """Sanitizers and valgrind need memory of their own and keep what was freed: then bounds on memory say nothing."""
    with open("/proc/%d/maps" % pid) as f:
        return any(name in line for line in f for name in ("libasan", "libtsan", "vgpreload"))


def sanitizer_report(log_text):
    """The first report in a server's output, from its first line on; "" if there is none. It is there also when the server
    was killed before its exit code could tell."""
    found = re.search(r"^(==\d+==|.*(Sanitizer: |runtime error: ))", log_text, re.M)  # valgrind, asan, tsan, ubsan
    return log_text[found.start():][:6000] if found else ""
