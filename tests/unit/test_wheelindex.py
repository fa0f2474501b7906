"""What pip says, told in our words: what is wrong, what to do, and no address."""

from __future__ import annotations

import importlib.util
import shutil
import sys

import pytest

import mlopskit as mk
from mlopskit import wheelindex
from mlopskit.errors import IntegrityError, StorageError

NONE = """\
Looking in indexes: https://somebody:s3cret@index.example/all
ERROR: Could not find a version that satisfies the requirement numpy==2.4.6 (from versions: {versions})
ERROR: No matching distribution found for numpy==2.4.6
"""
RETRY = "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError(s3cret)'\n"
HASHES = """\
ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. Someone may have tampered with them.
    numpy==2.4.6 from https://somebody:s3cret@index.example/numpy.whl (from -r x.txt):
        Expected sha256 aaaa
             Got        bbbb
"""
WORDS = [
    (NONE.format(versions="none"), StorageError, "There is no wheel of numpy==2.4.6 for linux/armv7 and Python 3.11"),
    (NONE.format(versions="2.4.4, 2.4.5"), StorageError, "is configured with; there are wheels of 2.4.4 2.4.5."),
    (RETRY + NONE.format(versions="none"), StorageError, "cannot be reached"),
    (NONE.format(versions="none") + "403 Client Error: Forbidden for url: https://s3cret", StorageError, "let us in"),
    (NONE.format(versions="none") + "503 Server Error: down", StorageError, "cannot be reached"),
    (HASHES, IntegrityError, "has other bytes than the lock names for numpy==2.4.6."),
    (
        "ERROR: Disk full\nERROR: See https://s3cret/x.\n",
        StorageError,
        "could not download numpy for linux/armv7, Python",
    ),
    ("Killed\n", StorageError, "Killed"),
    ("", StorageError, "pip could not download"),
]


@pytest.mark.parametrize(("said", "kind", "words"), WORDS)
def test_what_pip_says(tmp_path, monkeypatch, said, kind, words):
    script = tmp_path / "pip.py"
    script.write_text(f"import sys; print({said!r}, end=''); sys.exit(1)")
    monkeypatch.setattr(wheelindex, "_pip", lambda: [sys.executable, str(script)])
    wheels = mk.Wheels(requirements=("numpy",), platform="linux/armv7", python="3.11")
    with pytest.raises(kind) as caught:
        wheelindex.choose(wheels, ["numpy==2.4.6"], tmp_path / "into", tell=lambda _: None)
    assert words in caught.value.message
    told = f"{caught.value} {caught.value.culprits}"
    assert not [secret for secret in ("s3cret", "somebody", "index.example") if secret in told]


def test_what_pip_is_asked_for(tmp_path, monkeypatch):
    script = tmp_path / "pip.py"
    script.write_text(
        "import os, pathlib, sys\n"
        "into = pathlib.Path(next(one for one in sys.argv if one.startswith('--dest='))[7:])\n"
        "into.mkdir()\n"
        "(into / 'x.whl').write_text('\\n'.join([*sys.argv[1:], *map(str, (name for name in os.environ))]))\n"
        "print('Collecting numpy\\n  Downloading https://s3cret/numpy-1.whl?sig=s3cret#x (1.0 MB)')\n"
    )
    monkeypatch.setattr(wheelindex, "_pip", lambda: [sys.executable, str(script)])
    for name in ("PIP_NO_BINARY", "PIP_REQUIREMENT", "PIP_PLATFORM", "PIP_ABI", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "x")
    wheels = mk.Wheels(requirements=("numpy",), platform="linux/aarch64", python="3.11")
    steps = []
    (file,) = wheelindex.choose(wheels, ["numpy==1"], tmp_path / "into", tell=steps.append)
    asked = file.read_text().splitlines()
    wanted = {"--only-binary=:all:", "--no-deps", "--no-input", "--platform=manylinux_2_28_aarch64", "numpy==1"}
    assert {*wanted, "--python-version=3.11", "--implementation=cp", "PIP_INDEX_URL"} <= {*asked}
    assert not {"PIP_NO_BINARY", "PIP_REQUIREMENT", "PIP_PLATFORM", "PIP_ABI"} & {*asked}
    assert steps == ["numpy", "numpy-1.whl (1.0 MB)"]
    (file.parent / "tool-1.0.tar.gz").touch()
    script.write_text("")
    with pytest.raises(IntegrityError, match=r"'tool-1\.0\.tar\.gz', which is no wheel"):
        wheelindex.choose(wheels, ["numpy==1"], tmp_path / "into", tell=steps.append)


def test_without_pip_uv_runs_one_or_it_is_said_what_to_do(monkeypatch):
    assert wheelindex._pip() == [sys.executable, "-P", "-m", "pip"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert wheelindex._pip() == ["/usr/bin/uv", "tool", "run", "--python", sys.executable, "pip"]
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(StorageError, match="There is no pip here") as caught:
        wheelindex._pip()
    assert "ensurepip" in caught.value.remedy
