"""process.py: what tests look at in a server's process."""


def resident_bytes(pid):
    with open("/proc/%d/status" % pid) as f:
        return [int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS")][0]


def is_sanitized(pid):
    """Sanitizers need memory of their own and keep what was freed: then bounds on memory say nothing."""
    with open("/proc/%d/maps" % pid) as f:
        return any("libasan" in line or "libtsan" in line for line in f)
