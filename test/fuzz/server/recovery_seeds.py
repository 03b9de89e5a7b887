#!/usr/bin/env python3
"""Writes the seeds of recovery_fuzz: one of each edit, what was found, and a few of everything (recovery_fuzz.c says what the bytes mean).

recovery_seeds.py [test/fuzz/seeds/recovery_fuzz]
"""
import pathlib
import sys

FLIP, WRITE, CUT, REMOVE, COPY, RENAME, GROW = range(7)
ONE_LIFE, SNAPSHOT_AND_LIVES, STOPPED = range(3)
SEALED, CLOSED, SNAPSHOT = 1, 2, 4
FORMAT, SEGMENT, SECOND = 0, 1, 2  # files by name: format, journal-..., secret, snapshot-..., spare-...
AS_SEGMENT, AS_SNAPSHOT, AS_SPARE, AS_NOTHING = (kind << 4 for kind in range(4))


def edit(kind, file=SEGMENT, place=0, count=0, data=b""):
    return bytes([kind, file, place & 255, place >> 8, count | len(data)]) + data


def number(n):
    return n.to_bytes(8, "little")


SEEDS = {
    "whole": (ONE_LIFE, 0),
    "whole_closed": (SNAPSHOT_AND_LIVES, CLOSED),
    "whole_closed_with_snapshot": (STOPPED, CLOSED | SNAPSHOT),
    "sealed_again": (SNAPSHOT_AND_LIVES, SEALED),
    "flip_first_frame": (ONE_LIFE, 0, edit(FLIP, place=200, count=3)),
    "flip_header": (ONE_LIFE, 0, edit(FLIP, place=20)),
    "flip_three": (SNAPSHOT_AND_LIVES, 0, *(edit(FLIP, SECOND, 100 + 600 * i, i) for i in range(3))),
    "flip_last_group": (ONE_LIFE, 0, edit(FLIP, place=4400)),
    "flip_behind_the_frames": (ONE_LIFE, 0, edit(FLIP, place=30000)),
    "flip_format": (ONE_LIFE, 0, edit(FLIP, FORMAT, 3)),
    "flip_snapshot": (STOPPED, 0, edit(FLIP, 5, 300)),
    "frame_of_no_size": (ONE_LIFE, SEALED, edit(WRITE, place=96 + 56, data=bytes(4))),
    "record_of_no_log": (ONE_LIFE, SEALED, edit(WRITE, place=96 + 64 + 8, data=b"\xff\xff")),
    "record_of_no_time": (ONE_LIFE, SEALED, edit(WRITE, place=96 + 64 + 16, data=b"\xff" * 8)),
    "record_of_a_service_without_state": (ONE_LIFE, SEALED, edit(WRITE, place=96 + 64 + 10, data=b"\1\1")),  # found: a null call
    "payload_other": (ONE_LIFE, SEALED, edit(WRITE, place=96 + 64 + 32, data=b"\xff" * 15)),
    "newer_header": (ONE_LIFE, SEALED, edit(WRITE, place=8, data=b"\2")),  # found: a descriptor was not closed
    "newer_snapshot": (STOPPED, SEALED, edit(WRITE, 5, 8, data=b"\2")),
    "snapshot_of_no_logs": (STOPPED, SEALED, edit(WRITE, 5, 12, data=bytes(4))),
    "snapshot_from_far": (STOPPED, SEALED, edit(WRITE, 5, 24, data=b"\xff" * 8)),
    "snapshot_with_rows": (STOPPED, SEALED, edit(WRITE, 5, 40, data=b"\xff" * 8)),
    "snapshot_covers_all": (STOPPED, SEALED, edit(WRITE, 5, 80, data=b"\0" * 7 + b"\1")),
    "cut_segment": (SNAPSHOT_AND_LIVES, 0, edit(CUT, SECOND, 900)),
    "cut_secret": (ONE_LIFE, 0, edit(CUT, 2, 16)),
    "cut_to_nothing": (SNAPSHOT_AND_LIVES, 0, edit(CUT, SEGMENT, 0)),
    "no_format": (ONE_LIFE, 0, edit(REMOVE, FORMAT)),
    "no_first_segment": (SNAPSHOT_AND_LIVES, 0, edit(REMOVE, SEGMENT)),
    "no_snapshot": (STOPPED, 0, edit(REMOVE, 5)),
    "frames_of_another": (SNAPSHOT_AND_LIVES, 0, edit(COPY, SEGMENT, 96, 200)),
    "frames_of_another_sealed": (SNAPSHOT_AND_LIVES, SEALED, edit(COPY, SEGMENT, 96, 200)),
    "segment_renamed": (SNAPSHOT_AND_LIVES, 0, edit(RENAME, SECOND, 0, AS_SEGMENT, number(9))),
    "segment_number_too_high": (ONE_LIFE, 0, edit(RENAME, SEGMENT, 0, AS_SEGMENT, number(2**64 - 16))),  # found: an assertion
    "segment_as_snapshot": (STOPPED, SEALED, edit(RENAME, SECOND, 0, AS_SNAPSHOT, number(0))),  # found: removed, then refused
    "snapshot_renamed": (STOPPED, 0, edit(RENAME, 5, 0, AS_SNAPSHOT, number(2**64 - 1))),  # found: numbers began again
    "segment_as_spare": (SNAPSHOT_AND_LIVES, 0, edit(RENAME, SEGMENT, 0, AS_SPARE, number(1))),
    "stranger": (ONE_LIFE, 0, edit(RENAME, SEGMENT, 0, AS_NOTHING)),
    # found: a snapshot that never ended, waiting for a record that its log was said to have
    "log_ahead_of_the_journal": (1, 0xFF, bytes.fromhex("ffffff0100003fffffff01a12101ce54028a892a")),
    "segment_grown": (ONE_LIFE, 0, edit(GROW, SEGMENT, 65535)),
}


def main():
    root = pathlib.Path(__file__).resolve().parents[3]
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "test/fuzz/seeds/recovery_fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (image, how, *edits) in SEEDS.items():
        (folder / name).write_bytes(bytes([image, how]) + b"".join(edits))


main()
