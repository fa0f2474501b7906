"""A handler that does what a test asks for, and else what the handler does that it stands in front of."""

import os
import sys
import time
from pathlib import Path

import answering

KEPT = []


def handler(event, context):
    tricks = event.pop("trick", {}) if isinstance(event, dict) else {}
    for name, given in tricks.items():
        TRICKS[name](given)
    if tricks.keys() & {"tell"}:
        return {name: os.environ.get(name) for name in tricks["tell"]} | {
            "left": context.get_remaining_time_in_millis()
        }
    return answering.handler(event, context)


def fail(given):
    raise RuntimeError(given)


def write(paths):
    for path in paths:
        Path(path).write_text("x")


def say(given):
    sys.stdout.write(given)
    sys.stdout.flush()


TRICKS = {
    "fail": fail,
    "exit": os._exit,
    "hang": time.sleep,
    "memory": lambda mib: KEPT.append(b"x" * (mib << 20)),
    "write": write,
    "say": say,
    "tell": lambda names: None,
}
