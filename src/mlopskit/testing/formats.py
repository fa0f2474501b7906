"""The conformance suite of formats: how a model is stored, and the loader that travels."""

from __future__ import annotations

import importlib
import importlib.util
import json
import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlopskit import estimators
from mlopskit.data import Dataset
from mlopskit.errors import MlopskitError, StoreError
from mlopskit.format import Format
from mlopskit.golden import dump
from mlopskit.modelpackage import ModelPackage, Schema, StoredModel
from mlopskit.runtime.golden import FILE, GoldenRow
from mlopskit.runtime.names import check_name, check_paths
from mlopskit.runtime.schema import check_columns
from mlopskit.runtime.scoring import rows_of
from mlopskit.testing.apart import call_apart
from mlopskit.testing.claims import no_error, refused
from mlopskit.testing.packages import dataset, fitted
from mlopskit.testing.surroundings import contents

_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A fitted model, its schema, rows, and what it must answer to them."""

    model: Any
    schema: Schema
    frame: str
    task: str
    columns: Mapping[str, Any]
    expected: Mapping[str, Any]

    def fresh(self) -> Any:
        """Return a copy of the model, which no other check has seen."""
        return pickle.loads(pickle.dumps(self.model))  # noqa: S301  # our own, a moment ago

    def spec(self) -> dict[str, Any]:
        """Return what a loader is told."""
        schema = {"inputs": dict(self.schema.inputs), "outputs": dict(self.schema.outputs)}
        return {"schema": schema, "task": self.task, "frame": self.frame}


class FormatConformance:
    """What every format must do. Inherit it and write the fixture `format`.

    The sample is a logistic regression on two columns. A format that cannot hold one overrides `sample`; `tolerance`
    is by how much its numbers may differ from the model's own; `unstorable` is a model that it must refuse.
    """

    tolerance = 1e-9

    @pytest.fixture
    def format(self) -> Format:
        """The format to test."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `format`; see mlopskit.testing")

    @pytest.fixture(scope="session")
    @classmethod
    def sample(cls) -> Sample:
        """A model that the format can hold."""
        data = dataset()
        return sample_of(fitted(data), data)

    @pytest.fixture
    def unstorable(self) -> object:
        """A model that the format cannot hold."""
        return object()

    @pytest.fixture
    def stored(self, format: Format, sample: Sample, tmp_path: Path) -> tuple[Path, StoredModel]:
        """The sample as stored by the format, and where."""
        return _saved(format, sample, tmp_path / "stored")

    # --- save -----------------------------------------------------------------------------------------------------

    def test_names_itself_and_its_loader(self, format: Format) -> None:
        """A format has a name, and a loader that is a module with a `load`."""
        with no_error(fault='The class has no usable name. Name it: name: ClassVar[str] = "…".'):
            check_name(type(format).name)
        with no_error(fault="The class's `loader` cannot be imported. Give the whole name of its module."):
            loader = importlib.import_module(type(format).loader)
        assert callable(getattr(loader, "load", None)), "The loader cannot load. Give it a function load(files, spec)."
        with no_error(fault="The format cannot be made without arguments. Give each a default: the core gives none."):
            type(format)()

    def test_says_what_it_stored(self, format: Format, sample: Sample, stored: tuple[Path, StoredModel]) -> None:
        """`save` returns the format's own name, the frame it was given, and what it needs, pinned."""
        _, model = stored
        name = type(format).name
        assert model.format == name, f"save returned the format {model.format!r}. Return the class's name, {name!r}."
        assert model.frame == sample.frame, (
            f"save returned the frame {model.frame!r}. Return the one it was given, {sample.frame!r}."
        )
        loose = [pin for pin in model.requires if "==" not in pin]
        assert not loose, f"save returned requirements without a version: {loose}. Pin each with '=='."

    def test_writes_only_what_it_lists(self, stored: tuple[Path, StoredModel]) -> None:
        """The files that `save` wrote are those it returned."""
        folder, model = stored
        written, listed = sorted(contents(folder)), sorted(model.files)
        assert written == listed, f"save wrote {written}, and listed {listed}. Return every file, and write no others."

    def test_save_is_deterministic(self, format: Format, sample: Sample, stored: tuple[Path, StoredModel]) -> None:
        """The same model gives the same bytes: again, and in another process with other addresses and hashes."""
        folder, _ = stored
        again, _ = _saved(format, sample, folder.with_name("again"))
        apart = _saved_apart(format, sample, folder.with_name("apart"))
        first = contents(folder)
        for other, where in ((contents(again), "the second time"), (contents(apart), "in another process")):
            changed = sorted(path for path in first.keys() | other.keys() if first.get(path) != other.get(path))
            assert not changed, (
                f"save wrote other bytes {where}, in {changed}. "
                "Leave times, addresses, random names and the order of sets out of what is stored."
            )

    def test_leaves_the_model_alone(self, format: Format, sample: Sample, tmp_path: Path) -> None:
        """`save` and `differences` change nothing of the model."""
        model = sample.fresh()
        before = pickle.dumps(model)
        (tmp_path / "stored").mkdir()
        stored = format.save(model, sample.schema, sample.frame, tmp_path / "stored")
        assert pickle.dumps(model) == before, "save changed the model that it was given. Change a copy."
        format.differences(model, sample.schema, stored, tmp_path / "stored")
        assert pickle.dumps(model) == before, "differences changed the model that it was given. Change a copy."

    def test_finds_no_difference(self, format: Format, sample: Sample, stored: tuple[Path, StoredModel]) -> None:
        """`differences` finds none between the model and what `save` wrote of it, and changes no file."""
        folder, model = stored
        before = contents(folder)
        found = list(format.differences(sample.fresh(), sample.schema, model, folder))
        assert found == [], f"differences found some in what save stored: {found}. Let save refuse it, or mend them."
        assert contents(folder) == before, "differences changed the stored files. Let it only read them."

    def test_refuses_what_it_cannot_store(
        self, format: Format, sample: Sample, unstorable: object, tmp_path: Path
    ) -> None:
        """`save` raises StoreError."""
        with refused(StoreError, fault="save stored a model that it cannot hold. Raise StoreError; say why."):
            format.save(unstorable, sample.schema, sample.frame, tmp_path)

    # --- load -----------------------------------------------------------------------------------------------------

    def test_scores_as_the_model_does(self, format: Format, sample: Sample, stored: tuple[Path, StoredModel]) -> None:
        """The loaded model answers every row as the model itself: numbers within the tolerance, labels equal."""
        scored = _score(format, sample, stored)
        difference = _difference(scored, sample.expected, self.tolerance)
        assert difference is None, (
            f"The loaded model answered {difference} as the model itself. "
            "Store every number in full, and score as the model does."
        )

    def test_scores_the_columns_of_the_schema(
        self, format: Format, sample: Sample, stored: tuple[Path, StoredModel]
    ) -> None:
        """The outputs are the schema's, in its order, of its types, one for each row."""
        scored = _score(format, sample, stored)
        wanted = list(sample.schema.outputs["required"])
        assert list(scored) == wanted, (
            f"The loaded model answered the columns {list(scored)}, expected {wanted}. "
            "Take names and order from spec['schema']['outputs']['required']."
        )
        with no_error(fault="The loaded model's answer does not fit the output schema. Answer cells of its types."):
            checked = check_columns(sample.schema.outputs, scored)
        rows, answered = len(next(iter(sample.columns.values()))), len(checked["prediction"])
        assert answered == rows, f"The loaded model answered {answered} rows, {rows} were asked. Answer each row."

    def test_loader_travels(self, format: Format, sample: Sample, stored: tuple[Path, StoredModel]) -> None:
        """The loader works without mlopskit: it imports the standard library, its engine and its own modules alone."""
        source = importlib.util.find_spec(type(format).loader)
        assert source is not None, "The class's `loader` is not there. Give the whole name of its module."
        request = {"files": stored[1].files, "spec": sample.spec(), "columns": dict(sample.columns)}
        ran = subprocess.run(
            [sys.executable, "-I", "-B", str(_TEMPLATES / "load_child.py"), str(source.origin), str(stored[0])],
            input=json.dumps(request).encode(),
            capture_output=True,
            check=False,
        )
        advice = "Let it import the standard library, its engine and its own modules alone."
        assert ran.returncode == 0, (
            f"The loader fails where mlopskit cannot be imported: {ran.stderr.decode(errors='replace')[-1000:]}{advice}"
        )
        here, there = _score(format, sample, stored), json.loads(ran.stdout)
        difference = _difference(there, here, self.tolerance)
        assert difference is None, (
            f"Where mlopskit cannot be imported, the loaded model answered {difference} as here. {advice}"
        )

    def test_loader_refuses_broken_files(
        self, format: Format, sample: Sample, stored: tuple[Path, StoredModel]
    ) -> None:
        """Empty, cut and meaningless bytes are a ValueError, whatever a parser says of them."""
        whole = _files(stored)
        for path, data in whole.items():
            for what, broken in (("empty", b""), ("cut", data[: len(data) // 2]), ("meaningless", b"\x00\xff" * 50)):
                with refused(ValueError, fault=f"The loader took {path!r}, which is {what}. Raise ValueError."):
                    _loader(format).load({**whole, path: broken}, sample.spec())

    # --- eject, for those with languages ---------------------------------------------------------------------------

    def test_ejects_the_same_files(self, format: Format, sample: Sample, stored: tuple[Path, StoredModel]) -> None:
        """In each of its languages `eject` returns files of allowed paths, the same each time."""
        package = _package(sample, stored)
        for language in type(format).languages:
            for rows in ([], package.golden):
                made = [format.eject(language, package, _files(stored), rows) for _ in range(2)]
                with no_error(fault=f"eject returned paths that are not allowed ({language})."):
                    check_paths(made[0])
                advice = "Leave out times, addresses, hashes and random names."
                assert made[0] == made[1], f"eject returned other files the second time ({language}). {advice}"


def sample_of(model: Any, data: Dataset, /) -> Sample:
    """Return the sample of a scikit-learn model that was fitted to an array of a dataset's columns."""
    import numpy as np

    rows = np.array(list(data.input_columns().values()), dtype=float).T
    expected = {"prediction": model.predict(rows).tolist()}
    if hasattr(model, "predict_proba"):
        answered = model.predict_proba(rows).T.tolist()
        expected |= {f"probability.{label}": cells for label, cells in zip(model.classes_, answered, strict=True)}
    schema = Schema(inputs=data.input_schema(), outputs=estimators.output_schema(model, data))
    return Sample(
        model=model,
        schema=schema,
        frame=estimators.frame_of(model, schema.inputs),
        task=estimators.task_of(model, data),
        columns=data.input_columns(),
        expected=expected,
    )


def _package(sample: Sample, stored: tuple[Path, StoredModel]) -> ModelPackage:
    """Return a package of the sample that has nothing but its model and golden rows."""
    folder, model = stored
    rows, answers = rows_of(sample.columns), rows_of(sample.expected)
    golden = [GoldenRow(row=row, expected=said) for row, said in zip(rows, answers, strict=True)]
    about = {"file": FILE, "from": "file", "rows": len(golden), "scale": 1.0, "tolerance": 1e-6}
    manifest = {"name": "sample", "golden": about, "models": [vars(model)], "provenance": {}, **sample.spec()}
    return ModelPackage(folder=folder, digest=f"sha256:{'0' * 64}", manifest=manifest, files={FILE: dump(golden)})


def _loader(format: Format) -> Any:
    return importlib.import_module(type(format).loader)


def _files(stored: tuple[Path, StoredModel]) -> dict[str, bytes]:
    """Return what a loader is given: the files that `save` listed, not others that it wrote."""
    folder, model = stored
    return {path: (folder / path).read_bytes() for path in model.files}


def _score(format: Format, sample: Sample, stored: tuple[Path, StoredModel]) -> Mapping[str, Any]:
    """Return what the stored model answers to the sample's rows, each column as a list."""
    scored = _loader(format).load(_files(stored), sample.spec()).score(sample.columns)
    return {name: cells.tolist() if hasattr(cells, "tolist") else list(cells) for name, cells in scored.items()}


def _difference(scored: Mapping[str, Any], expected: Mapping[str, Any], tolerance: float) -> str | None:
    """Say where two answers first differ; None if they are the same: numbers within the tolerance, labels equal."""
    if scored.keys() != expected.keys():
        return f"the columns {sorted(scored)}, not {sorted(expected)}"
    for name, wanted in expected.items():
        if len(scored[name]) != len(wanted):
            return f"{len(scored[name])} rows of {name}, not {len(wanted)}"
        for row, (want, got) in enumerate(zip(wanted, scored[name], strict=True)):
            numbers = isinstance(want, float) and isinstance(got, int | float)
            if not (abs(got - want) <= tolerance if numbers else got == want):
                return f"{name} = {got!r} to row {row}, not {want!r}"
    return None


def _saved(format: Format, sample: Sample, folder: Path) -> tuple[Path, StoredModel]:
    folder.mkdir()
    try:
        return folder, format.save(sample.fresh(), sample.schema, sample.frame, folder)
    except MlopskitError as error:
        raise AssertionError(f"save refused the sample. Override `sample` with a model it can hold. {error}") from error


def _saved_apart(format: Format, sample: Sample, folder: Path) -> Path:
    """Save the sample in a process of its own."""
    folder.mkdir()
    call_apart(format, "save", sample.model, sample.schema, sample.frame, folder)
    return folder
