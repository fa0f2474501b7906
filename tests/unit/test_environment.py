from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from mlopskit import environment
from mlopskit.errors import ManifestError, StorageError


def test_what_was_imported_and_what_mlopskit_needs_is_recorded_with_its_version() -> None:
    import joblib

    found = environment.imported()
    assert found["joblib"] == joblib.__version__
    assert {"numpy", "polars", "scikit-learn", "skops"} <= found.keys()
    assert "mlopskit" not in found
    assert {name: metadata.version(name) for name in found} == found
    assert environment.differing(found) == {}


def test_what_is_installed_otherwise_is_named(install: Any) -> None:
    then = {**environment.imported(), "numpy": "0.1", "not-there-at-all": "1.0"}
    install("some-format", "", formats="some")
    assert environment.differing(then) == {
        "not-there-at-all": ("1.0", "missing"),
        "numpy": ("0.1", metadata.version("numpy")),
        "some-format": ("missing", "1.0"),
    }
    assert environment.imported()["some-format"] == "1.0"


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("numpy @ https://example.invalid/x.whl", "1"),
        ("-r other.txt", "1"),
        ("", "1"),
        ("a\nb", "1"),
        ("numpy", "1 --index-url=https://example.invalid"),
        ("numpy", "1\n-e ."),
        ("numpy", "missing, really"),
        ("numpy", ""),
    ],
)
def test_no_more_than_names_and_versions_reaches_pip(tmp_path: Path, name: str, version: str) -> None:
    with pytest.raises(ManifestError, match="is no distribution with a version"):
        environment.restore({"joblib": "1.5.2", name: version}, tmp_path / "then")
    assert not (tmp_path / "then").exists()


def test_a_program_that_fails_is_quoted_by_its_errors_and_without_secrets() -> None:
    said = "WARNING: a\\nERROR: not there\\nERROR: nor at https://me:hunter2@host/x\\nhint"
    with pytest.raises(StorageError) as caught:
        environment._call(sys.executable, "-c", f"import sys; sys.exit('{said}')", remedy="Mend it.")
    assert caught.value.message == "The recorded environment cannot be restored: nor at https://host/x"
    assert caught.value.remedy == "Mend it. Or make it here as it is: mlopskit reproduce --here"
    with pytest.raises(StorageError, match=r"restored: ZeroDivisionError: division by zero"):
        environment._call(sys.executable, "-c", "1 / 0", remedy="")


@pytest.mark.slow
def test_an_index_that_cannot_be_reached_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_INDEX_URL": "http://me:hunter2@127.0.0.1:1/index",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
    }
    for name, value in nowhere.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StorageError, match=r"No matching distribution found for joblib==1\.5\.2") as caught:
        environment.restore({"joblib": "1.5.2"}, tmp_path / "then")
    assert caught.value.exit_code == 3
    assert "hunter2" not in caught.value.message
