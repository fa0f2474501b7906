"""Answer rows: `python3 BUNDLE < requests`, one request a line, {"rows": [{"column": value, ...}, ...]}."""

import fcntl
import os
import sys

sys.dont_write_bytecode = True


def held(link: str) -> str:
    """Return the folder that a link names now. As long as this process runs, no agent removes it.

    Whoever starts this through the link gets all of it from that one folder, also if the link is changed meanwhile.
    """
    while True:
        folder = os.path.realpath(link)
        try:
            number = os.open(folder, os.O_RDONLY)
            fcntl.flock(number, fcntl.LOCK_SH)
            if os.path.samestat(os.fstat(number), os.stat(folder)):
                return folder
            os.close(number)
        except FileNotFoundError:
            if os.path.realpath(link) == folder:
                raise
        except OSError:  # a file system without locks
            return folder


HERE = held(os.path.dirname(os.path.abspath(__file__)))
sys.path[0] = HERE

from _mlopskit_runtime.__main__ import main  # type: ignore[import-not-found]  # noqa: E402  # stands beside it
from model import arguments  # type: ignore[import-not-found]  # noqa: E402  # stands beside it

sys.exit(main(arguments()))
