"""Three small real packages of one model name, which the suites deploy: a fixture class for them."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlopskit.data import Dataset
from mlopskit.modelpackage import ModelPackage
from mlopskit.packaging import write
from mlopskit.recipe import GoldenSpec, Recipe

NAME = "conformance"
_GOLDEN = 8
_CODE = Path(__file__).with_name("templates") / "conformance_code.py"


def dataset(*, slope: int = 1) -> Dataset:
    """Return 35 rows of two columns, labelled by which side of the line `height = slope * weight` they are on."""
    points = list(itertools.product([-1.5, -1.0, -0.25, 0.5, 1.0], range(-3, 4)))
    columns: dict[str, list[Any]] = {
        "height": [height for height, _ in points],
        "weight": [weight for _, weight in points],
        "label": ["above" if height > slope * weight else "below" for height, weight in points],
    }
    return Dataset(columns=columns, target="label")


def fitted(data: Dataset, /, *before: object) -> object:
    """Return a classifier with probabilities, behind these transformers, fitted to the rows of a dataset."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows = np.array(list(data.input_columns().values()), dtype=float).T
    model = make_pipeline(*before, LogisticRegression()) if before else LogisticRegression()
    return model.fit(rows, np.asarray(data.labels))


@contextlib.contextmanager
def _own_transformer(folder: Path) -> Iterator[object]:
    """Give a transformer of a module in a folder, as a project has it; mlopskit's own modules are nobody's code."""
    file = shutil.copy(_CODE, folder)
    spec = importlib.util.spec_from_file_location(_CODE.stem, file)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(file)
    module = sys.modules[_CODE.stem] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        yield module.Halve()
    finally:
        del sys.modules[_CODE.stem]


def write_packages(root: Path, /) -> None:
    """Write three packages into the folders `one`, `other` and `own`; all there, or none."""
    temporary = Path(tempfile.mkdtemp(dir=root.parent))
    for folder, slope in (("one", 1), ("other", -1)):
        _write(temporary / folder, slope)
    with tempfile.TemporaryDirectory() as code, _own_transformer(Path(code)) as transformer:
        _write(temporary / "own", 1, transformer)
    try:
        temporary.rename(root)
    except OSError:  # another worker of this test run was faster; the same packages came of it
        shutil.rmtree(temporary)


def _write(folder: Path, slope: int, *before: object) -> None:
    data = dataset(slope=slope)
    recipe = Recipe(
        name=NAME,
        model=fitted(data, *before),
        schema=data.input_schema(),
        test=data,
        # Code of one's own has no tables.
        formats=["skops"] if before else ["portable", "skops"],
        golden=GoldenSpec(rows=_GOLDEN),
    )
    folder.mkdir()
    write(recipe, folder)


def shared_packages(factory: pytest.TempPathFactory, /) -> Path:
    """Return the folder that holds all packages, made when first asked for, for all workers of a test run."""
    base = factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "mlopskit-packages"
    if not root.exists():
        write_packages(root)
    return root


class PackageFixtures:
    """Gives `package`, `other_package` and `package_with_code`: one model name, made once for each test run."""

    @pytest.fixture(scope="session")
    @classmethod
    def packages(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The folder that holds all packages."""
        return shared_packages(tmp_path_factory)

    @pytest.fixture
    def package(self, packages: Path, tmp_path: Path) -> ModelPackage:
        """A package, a copy for each check: what one does to it harms no other."""
        return _copied(packages / "one", tmp_path)

    @pytest.fixture
    def other_package(self, packages: Path, tmp_path: Path) -> ModelPackage:
        """Another package of the same model name, which answers otherwise."""
        return _copied(packages / "other", tmp_path)

    @pytest.fixture
    def package_with_code(self, packages: Path, tmp_path: Path) -> ModelPackage:
        """A package of a model with code of its own."""
        return _copied(packages / "own", tmp_path)


def _copied(package: Path, folder: Path) -> ModelPackage:
    copy = folder / f"package-{package.name}"
    shutil.copytree(package, copy)
    return ModelPackage.open(copy, digest="unpinned")
