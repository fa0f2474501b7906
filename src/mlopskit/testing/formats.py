"""The conformance suite of formats: how a model is stored, and the loader that travels."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
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
from mlopskit.modelpackage import Schema, StoredModel
from mlopskit.runtime.names import check_name
from mlopskit.runtime.schema import check_columns
from mlopskit.testing.claims import no_error, refused
from mlopskit.testing.packages import dataset, fitted

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
        with no_error(fault="The format's `name` is not allowed."):
            check_name(type(format).name)
        with no_error(fault="The module that `loader` names cannot be imported."):
            loader = importlib.import_module(type(format).loader)
        assert callable(getattr(loader, "load", None)), "The loader has no function load(files, spec)."
        with no_error(fault="The core makes a format without arguments, and this one wants some."):
            type(format)()

    def test_says_what_it_stored(self, sample: Sample, format: Format, stored: tuple[Path, StoredModel]) -> None:
        """`save` returns the format's own name, the frame it was given, and what it needs, pinned."""
        _, model = stored
        assert list(format.refusals(sample.model, sample.schema)) == [], "refusals refused what save could store."
        assert model.format == type(format).name, f"save returned the format {model.format!r}, not its own name."
        assert model.frame == sample.frame, f"save returned the frame {model.frame!r}, expected {sample.frame!r}."
        loose = [pin for pin in model.requires if "==" not in pin]
        assert not loose, f"save returned requirements without a version: {loose}. Pin each with '=='."

    def test_writes_only_what_it_lists(self, stored: tuple[Path, StoredModel]) -> None:
        """The files that `save` wrote are those it returned."""
        folder, model = stored
        written, listed = sorted(_contents(folder)), sorted(model.files)
        assert written == listed, f"save wrote {written}, and listed {listed}. Return every file, and write no others."

    def test_save_is_deterministic(self, format: Format, sample: Sample, stored: tuple[Path, StoredModel]) -> None:
        """The same model gives the same bytes: again, and in another process with other addresses and hashes."""
        folder, _ = stored
        again, _ = _saved(format, sample, folder.with_name("again"))
        apart = _saved_apart(format, sample, folder.with_name("apart"))
        first = _contents(folder)
        for other, where in ((_contents(again), "the second time"), (_contents(apart), "in another process")):
            changed = sorted(path for path in first.keys() | other.keys() if first.get(path) != other.get(path))
            assert not changed, (
                f"save wrote other bytes {where}, in {changed}. "
                "Leave times, addresses, random names and the order of sets out of what is stored."
            )

    def test_leaves_the_model_alone(self, format: Format, sample: Sample, tmp_path: Path) -> None:
        """`refusals` and `save` change nothing of the model."""
        model = pickle.loads(pickle.dumps(sample.model))  # noqa: S301  # our own, a moment ago
        before = pickle.dumps(model)
        (tmp_path / "stored").mkdir()
        format.refusals(model, sample.schema)
        format.save(model, sample.schema, sample.frame, tmp_path / "stored")
        assert pickle.dumps(model) == before, "save changed the model that it was given. Change a copy."

    def test_refuses_what_it_cannot_store(
        self, format: Format, sample: Sample, unstorable: object, tmp_path: Path
    ) -> None:
        """`refusals` gives the reasons, and `save` raises StoreError."""
        with no_error(fault="refusals failed, instead of returning why the model cannot be stored."):
            reasons = list(format.refusals(unstorable, sample.schema))
        assert reasons, "refusals has no reason against a model that cannot be stored."
        assert all(map(str.strip, reasons)), "refusals returned a reason without text."
        with refused(StoreError, fault="save stored what refusals refuses."):
            format.save(unstorable, sample.schema, sample.frame, tmp_path)

    # --- load -----------------------------------------------------------------------------------------------------

    def test_scores_as_the_model_does(self, format: Format, sample: Sample, stored: tuple[Path, StoredModel]) -> None:
        """The loaded model answers every row as the model itself: numbers within the tolerance, labels equal."""
        scored = _loader(format).load(_contents(stored[0]), sample.spec()).score(sample.columns)
        for name, expected in sample.expected.items():
            for row, (want, got) in enumerate(zip(expected, scored[name], strict=True)):
                same = abs(got - want) <= self.tolerance if isinstance(want, float) else got == want
                assert same, f"The loaded model answered {name} = {got!r} to row {row}, the model itself {want!r}."

    def test_scores_the_columns_of_the_schema(
        self, format: Format, sample: Sample, stored: tuple[Path, StoredModel]
    ) -> None:
        """The outputs are the schema's, in its order, of its types, one for each row."""
        scored = _loader(format).load(_contents(stored[0]), sample.spec()).score(sample.columns)
        wanted = list(sample.schema.outputs["required"])
        assert list(scored) == wanted, f"The loaded model answered the columns {list(scored)}, the schema has {wanted}."
        with no_error(fault="The loaded model's answer does not fit the output schema."):
            checked = check_columns(sample.schema.outputs, scored)
        rows = len(next(iter(sample.columns.values())))
        assert len(checked["prediction"]) == rows, "The loaded model answered another number of rows than it was given."

    def test_loader_travels(self, format: Format, sample: Sample, stored: tuple[Path, StoredModel]) -> None:
        """The loader's one file works where mlopskit is not: it imports the standard library and its engine alone."""
        source = importlib.util.find_spec(type(format).loader)
        assert source is not None, "The module that `loader` names is not there."
        request = {"files": stored[1].files, "spec": sample.spec(), "columns": dict(sample.columns)}
        ran = subprocess.run(
            [sys.executable, "-I", "-B", str(_TEMPLATES / "load_child.py"), str(source.origin), str(stored[0])],
            input=json.dumps(request).encode(),
            capture_output=True,
            check=False,
        )
        assert ran.returncode == 0, (
            f"The loader fails where mlopskit cannot be imported: {ran.stderr.decode(errors='replace')[-1000:]}"
            "Let it import the standard library and its engine alone."
        )
        assert list(json.loads(ran.stdout)) == list(sample.expected), "The loader answers otherwise without mlopskit."

    def test_loader_refuses_broken_files(
        self, format: Format, sample: Sample, stored: tuple[Path, StoredModel]
    ) -> None:
        """Empty, cut and meaningless bytes are a ValueError, whatever a parser says of them."""
        whole = _contents(stored[0])
        for path, data in whole.items():
            for what, broken in (("empty", b""), ("cut", data[: len(data) // 2]), ("meaningless", b"\x00\xff" * 50)):
                with refused(ValueError, fault=f"The loader did not refuse {path!r}, which is {what}."):
                    _loader(format).load({**whole, path: broken}, sample.spec())


def sample_of(model: Any, data: Dataset, /) -> Sample:
    """Return the sample of a scikit-learn model that was fitted to an array of a dataset's columns."""
    import numpy as np

    rows = np.array(list(data.input_columns().values()), dtype=float).T
    expected = {"prediction": model.predict(rows).tolist()}
    if hasattr(model, "predict_proba"):
        answered = model.predict_proba(rows).T.tolist()
        expected |= {f"probability.{label}": cells for label, cells in zip(model.classes_, answered, strict=True)}
    schema = Schema(inputs=data.input_schema(), outputs=estimators.output_schema(model))
    return Sample(
        model=model,
        schema=schema,
        frame=estimators.frame_of(model, schema.inputs),
        task=estimators.task_of(model, data),
        columns=data.input_columns(),
        expected=expected,
    )


def _loader(format: Format) -> Any:
    return importlib.import_module(type(format).loader)


def _saved(format: Format, sample: Sample, folder: Path) -> tuple[Path, StoredModel]:
    folder.mkdir()
    try:
        return folder, format.save(sample.model, sample.schema, sample.frame, folder)
    except MlopskitError as error:
        raise AssertionError(f"save refused the sample. Override `sample` with a model it can hold. {error}") from error


def _saved_apart(format: Format, sample: Sample, folder: Path) -> Path:
    """Save the sample in a process of its own."""
    folder.mkdir()
    kind = type(format)
    place = {"module": kind.__module__, "file": inspect.getfile(kind), "class": kind.__qualname__, "path": sys.path}
    subprocess.run(
        [sys.executable, "-B", str(_TEMPLATES / "save_child.py"), str(folder)],
        input=pickle.dumps(place) + pickle.dumps((sample.model, sample.schema, sample.frame)),
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        check=True,
    )
    return folder


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
