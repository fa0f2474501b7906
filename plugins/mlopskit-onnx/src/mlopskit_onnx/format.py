"""OnnxFormat: a fitted estimator as an ONNX graph in double precision."""

from __future__ import annotations

import importlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from mlopskit import Format, Part, Schema, StoredModel, format_of
from mlopskit.errors import StoreError

_ENGINE = ("numpy", "onnxruntime")
_TABLES = "portable"


class OnnxFormat(Format):
    """Stores what a model computes as an ONNX graph; it is made from the model's portable form, which is exact."""

    name: ClassVar[str] = "onnx"
    loader: ClassVar[str] = "mlopskit_onnx.loader"
    engine: ClassVar[tuple[str, ...]] = ("onnxruntime",)

    def save(self, model: object, schema: Schema, frame: str, into: Path, /) -> StoredModel:
        """Write `model.onnx` into a folder: the same bytes in every process.

        Raises:
            StoreError: a part of the model, or one of its settings, has no tables or no nodes; its `reasons` say which.
        """
        from mlopskit_onnx.compiled import compiled
        from mlopskit_onnx.graph import NoGraphError
        from mlopskit_onnx.loader import FILE

        document = _document(model, schema, frame)[1]
        try:
            data, steps = compiled(document)
        except NoGraphError as refused:
            raise _refused(model, f"{refused}.") from refused
        (into / FILE).write_bytes(data)
        requires = tuple(f"{name}=={version(name)}" for name in _ENGINE)
        return StoredModel(format=self.name, files=(FILE,), requires=requires, preprocess=steps, frame=frame)

    def explain(self, model: object, schema: Schema, frame: str, /) -> Sequence[Part]:
        """Return the parts of a model, with the reason where one has no tables or no nodes; `steps` are the nodes."""
        from mlopskit_onnx.compiled import explained

        parts = _tables().explain(model, schema, frame)
        if any(part.why for part in parts):
            return [replace(part, steps=range(0)) for part in parts]
        ends, why = explained(_document(model, schema, frame)[1])
        last = len(ends) - 1  # the step that has no nodes, if one has none
        nodes = [range(*(ends[min(at, last)] for at in (one.steps.start, one.steps.stop))) for one in parts]
        made = [replace(one, steps=some) for one, some in zip(parts, nodes, strict=True)]
        of = [at for at, one in enumerate(parts) if why and last in one.steps]
        if of:
            made[of[-1]] = replace(made[of[-1]], why=why)
        return made

    def differences(self, model: object, schema: Schema, stored: StoredModel, folder: Path, /) -> Sequence[str]:
        """Return what hostile rows find out: the graph must answer them as the tables do that it was made from."""
        from mlopskit_onnx import loader, proof

        tables, document = _document(model, schema, stored.frame)
        data = (folder / loader.FILE).read_bytes()
        try:
            graph = loader.load({loader.FILE: data}, _spec(schema, stored.frame))
        except ValueError as error:
            return [f"The graph cannot be loaded: {error}."]
        return proof.differences(graph, tables, document)


def _refused(model: object, *reasons: str) -> StoreError:
    return StoreError(
        f"{type(model).__name__} has no ONNX form: {' '.join(reasons)}",
        remedy="Deploy another form of the model, or change what is named.",
        reasons=list(reasons),
    )


def _tables() -> Format:
    """Return the portable form: docs/reference/portable-format.md."""
    return format_of(_TABLES)()


def _document(model: object, schema: Schema, frame: str) -> tuple[Any, Mapping[str, Any]]:
    """Return the scorer of the model's portable form, and that form."""
    tables = _tables()
    with tempfile.TemporaryDirectory() as folder:
        try:
            stored = tables.save(model, schema, frame, Path(folder))
        except StoreError as error:
            found: Any = error.culprits.get("reasons", [error.message])
            raise _refused(model, *(str(one) for one in found)) from error
        files = {name: Path(folder, name).read_bytes() for name in stored.files}
    document = json.loads(files[stored.files[0]])
    return importlib.import_module(tables.loader).load(files, _spec(schema, frame)), document


def _spec(schema: Schema, frame: str) -> dict[str, Any]:
    return {"schema": {"inputs": schema.inputs, "outputs": schema.outputs}, "frame": frame}
