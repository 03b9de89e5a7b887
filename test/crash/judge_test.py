"""The judge is judged: a sound history passes, and for each invariant a history that breaks it is found out.

Runs by itself, and at the beginning of run.py.
"""
import copy
import sys

import judge

DEAD = {"poor.fifo": "dead.fifo", "poor": "dead"}
MAX_RECEIVES = 2


def send(key, at, queue="a.fifo", delay=0, identity=None):
    return {"op": "send", "queue": queue, "keys": [key], "delay": delay, "at": at, "done": at + 0.1, "said": identity or "id-" + key}


def receive(at, *said, queue="a.fifo", visibility=2):
    """said: (key, sequence, count) or (key, sequence, count, id)"""
    rows = [[row[3] if len(row) > 3 else f"id-{row[0]}", *row[:3]] for row in said]
    return {"op": "receive", "queue": queue, "visibility": visibility, "at": at, "done": at + 0.1, "said": rows}


def delete(key, at, queue="a.fifo"):
    return {"op": "delete", "queue": queue, "keys": [key], "at": at, "done": at + 0.1, "said": {"ok": [[0, None]]}}


def sound():
    """Two groups, a lease that ends, a dead letter, a delay, unknown outcomes; a crash at 50."""
    return [
        send("g-1", 1), send("g-2", 2), send("h-1", 3), send("s-1", 4, "b", delay=5),
        receive(5, ("g-1", "10", 1), ("g-2", "11", 1)), receive(8, ("g-1", "10", 2)),
        delete("g-1", 8.5), {**delete("h-1", 9), "done": None, "said": None},
        receive(10, ("g-2", "11", 2)), delete("g-2", 11),
        receive(12, ("s-1", None, 1), queue="b", visibility=60), receive(51, ("s-1", None, 1), queue="b"), delete("s-1", 52, "b"),
        {**send("s-2", 20, "b"), "done": None, "said": None},
        send("p-1", 30, "poor.fifo"), receive(31, ("p-1", "1", 1), queue="poor.fifo"), receive(34, ("p-1", "1", 2), queue="poor.fifo"),
        receive(40, ("p-1", "7", 3), queue="dead.fifo"), delete("p-1", 41, "dead.fifo"),
        {"op": "counts", "queue": "b", "at": 60, "counts": [0, 0, 0]},
    ]


def without(history, op, key):
    return [line for line in history if line["op"] != op or key not in line["keys"]]


def broken():
    """(what must be found, a history)"""
    yield "CRASH-1", sound() + [send("lost-1", 20)]
    yield "CRASH-2", sound() + [receive(20, ("never-1", "20", 1))]
    yield "CRASH-2", sound() + [receive(20, (None, "20", 1))]
    yield "CRASH-3", sound() + [receive(20, ("g-2", "11", 3))]
    yield "CRASH-4", without(without(sound(), "delete", "g-1"), "delete", "h-1")
    yield "CRASH-5", sound() + [receive(2.5, ("g-1", "10", 1, "other"))]
    yield "CRASH-5", sound() + [send("i-1", 20), receive(21, ("i-1", "20", 1)), receive(25, ("i-1", "21", 2))]
    yield "CRASH-6", sound() + [{"op": "counts", "queue": "b", "at": 60, "counts": [0, 1, 0]}]
    yield "CRASH-7", sound() + [send("i-1", 20), send("i-2", 21), receive(22, ("i-1", "30", 1), ("i-2", "29", 1))]
    yield "CRASH-8", sound() + [send("s-3", 20, "b", delay=9), receive(27, ("s-3", None, 1), queue="b")]
    yield "CRASH-9", sound() + [send("i-1", 20), receive(21, ("i-1", "20", 1)), receive(22, ("i-1", "20", 2))]
    yield "CRASH-9", sound() + [send("i-1", 48), receive(49, ("i-1", "20", 1), visibility=9), receive(52, ("i-1", "20", 2))]
    yield "CRASH-9", sound() + [send("s-3", 20, "b"), receive(21, ("s-3", None, 1), queue="b"), receive(22, ("s-3", None, 2), queue="b")]
    yield "CRASH-10", sound() + [send("i-1", 20), receive(21, ("i-1", "20", 1)), receive(25, ("i-1", "20", 1))]
    yield "CRASH-10", sound() + [send("i-1", 20), receive(21, ("i-1", "20", 7))]
    yield "CRASH-10", sound() + [send("s-3", 20, "b"), receive(21, ("s-3", None, 2), queue="b"), receive(25, ("s-3", None, 2), queue="b")]
    yield "CRASH-11", sound() + [send("p-2", 20, "poor"), receive(21, ("p-2", None, 1), queue="poor"), receive(25, ("p-2", None, 2), queue="dead")]
    yield "CRASH-12", sound() + [receive(46, ("p-1", "1", 3), queue="poor.fifo")]
    yield "CRASH-12", sound() + [send("p-2", 20, "poor.fifo")] + [receive(21 + 3 * i, ("p-2", "9", i + 1), queue="poor.fifo") for i in range(3)]


def verdict(history):
    return judge.Judge(copy.deepcopy(history), [50], DEAD, MAX_RECEIVES).judge()


def check():
    """Nothing if the judge is right, else what it got wrong."""
    wrong = [f"a sound history is called broken: {line}" for line in verdict(sound())]
    found = set()
    for number, history in broken():
        said = {line.split()[0] for line in verdict(history)}
        found.add(number)
        if number not in said:
            wrong.append(f"{number} is not found; found: {sorted(said)}")
    documented = {word for word in judge.__doc__.split() if word.startswith("CRASH-")}
    wrong += [f"{number} has no history that breaks it" for number in sorted(documented - found)]
    return wrong


if __name__ == "__main__":
    for line in check():
        print(line)
    print(f"{len(list(broken())) + 1} histories")
    sys.exit(1 if check() else 0)
