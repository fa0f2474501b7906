"""Answer rows: `python3 BUNDLE < requests`, one request a line, {"rows": [{"column": value, ...}, ...]}."""

import os
import sys

sys.dont_write_bytecode = True
# Whoever starts this through a link gets all of it from the one folder that the link names now.
HERE = os.path.realpath(os.path.dirname(os.path.abspath(__file__)))
sys.path[0] = HERE

from _mlopskit_runtime.__main__ import main  # type: ignore[import-not-found]  # noqa: E402  # stands beside it
from model import arguments  # type: ignore[import-not-found]  # noqa: E402  # stands beside it

sys.exit(main(arguments()))
