"""A handler that does what a test asks for, and else what the handler does that it stands in front of."""

import os
import re
import sys
import time
import types
from pathlib import Path

import answering

FUNCTION = answering.FUNCTION
KEPT = []


def handler(event, context):
    tricks = event.pop("trick", {}) if isinstance(event, dict) else {}
    for name, given in tricks.items():
        TRICKS[name](given)
    if tricks.keys() & {"tell"}:
        return {name: os.environ.get(name) for name in tricks["tell"]} | {
            "left": context.get_remaining_time_in_millis()
        }
    try:
        return answering.handler(event, context)
    finally:
        answering.FUNCTION = FUNCTION


def answer(text):
    """Let the model answer a text a hundred thousand times."""
    said = FUNCTION.respond("GET", "/schema", {}, b"")._replace(body=(text * 100_000).encode())
    answering.FUNCTION = types.SimpleNamespace(respond=lambda *_: said)


def fail(given):
    raise RuntimeError(given)


def write(paths):
    for path in paths:
        Path(path).write_text("x")


def say(given):
    sys.stdout.write(given)
    sys.stdout.flush()


def backtrack(given):
    # Two ways to take each letter: as many ways through all of them as no time is enough for.
    re.fullmatch("(a+)+", "a" * given + "b")


TRICKS = {
    "answer": answer,
    "fail": fail,
    "exit": os._exit,
    "hang": time.sleep,
    "backtrack": backtrack,
    "memory": lambda mib: KEPT.append(b"x" * (mib << 20)),
    "write": write,
    "say": say,
    "tell": lambda names: None,
}
