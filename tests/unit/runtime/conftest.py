import json
from hashlib import sha256

import pytest

from mlopskit.runtime import AliasRecord, canonical


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


class Published:
    """A model's folder as readers find it, whose alias is moved by hand."""

    def __init__(self, folder, write):
        self.folder = folder
        self.records = []
        self._write = write

    def package(self, factor, *, expected=None, **changes):
        """Write a package that multiplies by a factor, and is expected to answer 1 so; return its digest."""
        row = canonical.dumps({"expected": {"prediction": expected or factor}, "row": {"x": 1}})
        files = {"model.json": canonical.dumps({"factor": factor}), "data/words.txt": b"word", "golden.jsonl": row}
        golden = {"file": "golden.jsonl", "from": "test", "rows": 1, "scale": 1.0, "tolerance": 1e-6}
        return self._write(files, root=self.folder / "packages", **{"golden": golden, **changes})[1]

    def file(self, digest, path):
        return self.folder / "packages" / digest.removeprefix("sha256:") / path

    def move(self, digest, *, hint=True):
        """Append a record that names a digest; return it."""
        last = self.records[-1] if self.records else None
        about = {
            "name": self.folder.name,
            "alias": "production",
            "operation": "1",
            "who": "me",
            "why": "",
            "when": "now",
        }
        seq, previous = len(self.records) + 1, canonical.digest_of(last.data()) if last else None
        record = AliasRecord(seq=seq, digest=digest, previous=previous, **about)
        aliases = self.folder / "aliases"
        (aliases / "production" / str(seq)).mkdir(parents=True)
        (aliases / "production" / str(seq) / "record.json").write_bytes(record.data())
        if hint:
            (aliases / "production.json").write_bytes(record.data())
        self.records.append(record)
        return record


@pytest.fixture
def published(write_package, tmp_path):
    """A model's folder with two packages, the first one live, and their digests."""
    place = Published(tmp_path / "shop" / "sentiment", write_package)
    place.one, place.two = place.package(1), place.package(2)
    place.move(place.one)
    return place
