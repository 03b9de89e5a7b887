"""The test's side of faults.c: builds the library, maps its control file."""
import errno
import mmap
import os
import pathlib
import struct
import subprocess

EIO, ENOSPC = errno.EIO, errno.ENOSPC
FAULT = struct.Struct("<iiii32s")
PLACES = {"write": 0, "sync": FAULT.size, "read": 2 * FAULT.size}
BUDGET_AT = 3 * FAULT.size
SIZE = BUDGET_AT + 8
LIBRARY = pathlib.Path(__file__).resolve().parent.parent.parent / "build" / "preload" / "faults.so"


def build_preload():
    source = pathlib.Path(__file__).resolve().parent / "faults.c"
    LIBRARY.parent.mkdir(parents=True, exist_ok=True)
    if not LIBRARY.exists() or LIBRARY.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(LIBRARY), str(source), "-ldl"], check=True)


class Control:
    def __init__(self, path, budget=-1):
        self.path = str(path)
        with open(path, "wb") as f:
            f.write(bytes(SIZE))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), SIZE)
        self.set_budget(budget)

    def environment(self, data_dir):
        return {"LD_PRELOAD": str(LIBRARY), "FAULTS_CONTROL": self.path, "FAULTS_DIR": os.path.realpath(data_dir),
                "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def set_budget(self, size):
        struct.pack_into("<q", self.map, BUDGET_AT, size)

    def set(self, kind, error, name, skip=0, times=1):
        """The call after `skip` others fails; the error comes last, as it arms the rest."""
        FAULT.pack_into(self.map, PLACES[kind], 0, skip, times, 0, name.encode())
        struct.pack_into("<i", self.map, PLACES[kind], error)

    def done(self, kind):
        return FAULT.unpack_from(self.map, PLACES[kind])[3]

    def clear(self):
        for place in PLACES.values():
            struct.pack_into("<i", self.map, place, 0)
