import json
from hashlib import sha256

import pytest

from mlopskit.runtime import canonical


def column_schema(**columns):
    return {"additionalProperties": False, "properties": columns, "required": [*columns], "type": "object"}


def manifest_of(files, **changes):
    return {
        "environment": {},
        "evaluation": None,
        "files": {path: {"sha256": sha256(data).hexdigest(), "size": len(data)} for path, data in files.items()},
        "format_version": 1,
        "golden": None,
        "models": [
            {"files": ["model.json"], "format": "portable", "frame": "arrays", "preprocess": [], "requires": ["a==1"]}
        ],
        "name": "sentiment",
        "provenance": {},
        "schema": {
            "inputs": column_schema(x={"type": "number"}),
            "outputs": column_schema(prediction={"type": "number"}),
        },
        "task": "regression",
        **changes,
    }


FILES = {"README.md": b"a card", "data/sentiment/model.py": b"pass", "model.json": b'{"factor":2}'}


@pytest.fixture
def columns_schema():
    """Make a schema of columns."""
    return column_schema


@pytest.fixture
def manifest():
    """A good manifest of three small files, to be spoilt."""
    return json.loads(json.dumps(manifest_of(FILES)))


@pytest.fixture
def write_package(tmp_path):
    """Write a package below its digest, from its files and changes to its manifest; return its folder and digest."""

    def write(files=FILES, root=tmp_path / "packages", **changes):
        data = canonical.dumps(manifest_of(files, **changes))
        digest = canonical.digest_of(data)
        folder = root / digest.removeprefix("sha256:")
        for path, content in {**files, "manifest.json": data}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        return folder, digest

    return write
