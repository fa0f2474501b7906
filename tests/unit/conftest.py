from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit.runtime import canonical
from mlopskit.testing.memory import MemoryStorage

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution with one module and its entry points, for as long as a test lasts."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def make(distribution: str, code: str, **entry_points: str) -> None:
        module = distribution.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"[mlopskit.{kind}]\n{name} = {module}\n" for kind, name in entry_points.items()]
        (info / "entry_points.txt").write_text("\n".join(lines))

    yield make
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def tiny_package(folder: Path, number: int) -> mk.ModelPackage:
    """Write a package of a few hundred bytes, one of its own for each number; nothing can score with it."""
    answer = {"expected": {"prediction": float(number)}, "row": {"x": 1.0}}
    files = {"model.skops": b"%d" % number * 100, "golden.jsonl": canonical.dumps(answer) + b"\n", "code.txt": b"x"}
    sizes = {path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for path, data in files.items()}
    model = {"files": ["model.skops"], "format": "skops", "frame": "arrays", "preprocess": [], "requires": []}
    plain = {"additionalProperties": False, "type": "object"}
    inputs, outputs = (
        {**plain, "required": [name], "properties": {name: {"type": "number"}}} for name in ("x", "prediction")
    )
    manifest = {
        "environment": {},
        "evaluation": None,
        "files": sizes,
        "format_version": 1,
        "golden": {"file": "golden.jsonl", "from": "file", "rows": 1, "scale": 1.0, "tolerance": 0.0},
        "models": [model],
        "name": "mood",
        "provenance": {},
        "schema": {"inputs": inputs, "outputs": outputs},
        "task": "regression",
    }
    data = canonical.dumps(manifest)
    here = folder / canonical.digest_of(data).removeprefix("sha256:")
    for path, content in {**files, "manifest.json": data}.items():
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).write_bytes(content)
    return mk.ModelPackage.open(here)


def passing(package: mk.ModelPackage, *, passed: bool = True) -> mk.Verdict:
    """Return a verdict on a package."""
    finding = mk.Finding(gate="accuracy >= 0.75", passed=passed, reached=0.9, n=100, reason="")
    return mk.Verdict(name=package.name, digest=package.digest, dataset="sha256:" + "d" * 64, findings=(finding,))


@pytest.fixture(params=["folder", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> mk.Registry:
    """Return an empty registry on each kind of storage: one with real paths, and one without, as a bucket is."""
    return mk.Registry.at(tmp_path / "place") if request.param == "folder" else mk.Registry(MemoryStorage())


@pytest.fixture
def fill(tmp_path: Path) -> Callable[..., list[str]]:
    """Return what puts small packages with verdicts into a registry, and returns their digests."""

    def put(registry: mk.Registry, *numbers: int, judged: bool = True, passed: bool = True) -> list[str]:
        packages = [tiny_package(tmp_path / "made", number) for number in numbers]
        for package in packages:
            registry.add(package)
            if judged:
                registry.add_verdict(passing(package, passed=passed))
        return [package.digest for package in packages]

    return put


@pytest.fixture
def twin(tmp_path: Path) -> Callable[[mk.Registry], mk.Registry]:
    """Return what copies a registry, as a backup does, to another place."""

    def copy(registry: mk.Registry) -> mk.Registry:
        storage = mk.Registry.at(tmp_path / "twin").storage if registry.storage.local("x") else MemoryStorage()
        for key, size in registry.storage.list(""):
            storage.hint(key, registry.storage.read(key, limit=size) or b"")
        return mk.Registry(storage)

    return copy
