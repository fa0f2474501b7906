"""Serve the model that stands beside this; the arguments are those of runtime/_mlopskit_runtime/serving/program.py."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True

HERE = Path(__file__).resolve().parent
RUNTIME, SITE = HERE / "runtime", HERE / "site"
sys.path[1:1] = [str(RUNTIME), str(SITE)]

from _mlopskit_runtime.serving.program import main  # type: ignore[import-not-found]  # noqa: E402  # stands beside it

# Whoever built this has chosen the package, and with it the code that it may have.
ABOUT = [str(HERE / "package"), "--digest", "$digest", "--format", "$format", "--trust-code", "$digest"]
sys.exit(main([*ABOUT, *sys.argv[1:]], runtime=RUNTIME, site=SITE))
