"""What does as it is told, to see what surrounds a function; with nothing to do it is the empty function."""

import os
import sys
import tempfile
import time
from pathlib import Path

import functions_framework


def _surroundings():
    with tempfile.TemporaryFile() as file:
        file.write(b"scratch")
    try:
        Path(__file__).with_name("new").touch()
        written = True
    except OSError:
        written = False
    words = ("HOME", "LC_ALL", "LANG", "K_SERVICE", "FUNCTION_TARGET", "PORT")
    return {
        "environment": {name: os.environ[name] for name in words if name in os.environ},
        "encoding": sys.getfilesystemencoding(),
        "written": written,
        "temporary": tempfile.gettempdir(),
        "server": sorted(name for name in sys.modules if name in {"gunicorn.workers.gthread", "werkzeug.debug"}),
    }


def _wait():
    time.sleep(60)


def _fail():
    raise RuntimeError("on purpose")


def _leave():
    sys.stderr.write("going away\n")
    os._exit(3)


def _eat():
    held = []
    while True:
        held.append(bytearray(b"x") * (8 << 20))
        time.sleep(0.01)


TOLD = {"/surroundings": _surroundings, "/wait": _wait, "/fail": _fail, "/leave": _leave, "/eat": _eat}


@functions_framework.http
def answer(request):
    return TOLD.get(request.path, dict)() or {}
