"""PortableFormat: a fitted estimator as tables in double precision."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from mlopskit.builtin.portable import (
    bayes,
    columns,
    ensembles,
    lightgbm,
    linear,
    machines,
    meta,
    neighbours,
    processes,
    projections,
    scaling,
    textual,
    trees,
)
from mlopskit.builtin.portable.explaining import Explaining
from mlopskit.builtin.portable.loader.document import FILE, FORMAT_VERSION
from mlopskit.builtin.portable.writing import Answer, NoTablesError, Predict, Ref, Transform, Writing, refuse_if
from mlopskit.errors import StoreError
from mlopskit.format import Format, Part
from mlopskit.modelpackage import ModelPackage, Schema, StoredModel
from mlopskit.runtime.golden import GoldenRow

TRANSFORMERS: Mapping[str, Transform] = {
    **columns.TRANSFORMERS,
    **scaling.TRANSFORMERS,
    **textual.TRANSFORMERS,
    **projections.TRANSFORMERS,
    **ensembles.TRANSFORMERS,
    **meta.TRANSFORMERS,
}
PREDICTORS: Mapping[str, Predict] = {
    **linear.PREDICTORS,
    **trees.PREDICTORS,
    **bayes.PREDICTORS,
    **machines.PREDICTORS,
    **neighbours.PREDICTORS,
    **processes.PREDICTORS,
    **lightgbm.PREDICTORS,
    **ensembles.PREDICTORS,
    **meta.PREDICTORS,
}
# The minor releases of scikit-learn whose private attributes were read; see docs/reference/portable-format.md.
KNOWN = ("1.9",)
_Written = TypeVar("_Written", bound=Writing)


class PortableFormat(Format):
    """Stores what scikit-learn's models compute, as steps over tables: needs neither scikit-learn nor numpy."""

    name: ClassVar[str] = "portable"
    loader: ClassVar[str] = "mlopskit.builtin.portable.loader"
    languages: ClassVar[tuple[str, ...]] = ("c", "javascript", "python")

    def save(self, model: object, schema: Schema, frame: str, into: Path, /) -> StoredModel:
        """Write `model.json` into a folder: the same bytes in every process.

        Raises:
            StoreError: a part of the model, or one of its settings, has no tables; its `reasons` say which.
        """
        try:
            document = document_of(model, schema, frame)
        except NoTablesError as refused:
            raise _refused(model, str(refused)) from refused
        except Exception as error:  # an estimator of another release, or half fitted
            raise _refused(model, f"{type(error).__name__} while its tables were read: {error}") from error
        text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"), sort_keys=True)
        (into / FILE).write_text(text + "\n", encoding="ascii")
        return StoredModel(format=self.name, files=(FILE,), requires=(), frame=frame)

    def explain(self, model: object, schema: Schema, frame: str, /) -> Sequence[Part]:
        """Return the parts of a model, with the reason where one has no tables; `steps` are those of the tables."""
        w = _writing(Explaining, schema, frame)
        try:
            _outputs(w.predict(model, w.row()), schema.outputs)
        except Exception as error:  # an estimator of another release, or half fitted
            why = str(error) if isinstance(error, NoTablesError) else f"{type(error).__name__}: {error}"
            if why not in {one.why for one in w.parts}:
                w.parts[0] = replace(w.parts[0], why=why)
        return w.parts

    def eject(
        self, language: str, package: ModelPackage, files: Mapping[str, bytes], rows: Sequence[GoldenRow], /
    ) -> Mapping[str, bytes]:
        """Return the tables with a scorer in one of the languages, and rows with which it tests itself."""
        from mlopskit.builtin.portable import ejecting

        return ejecting.files_of(language, package, files, rows)


def _refused(model: object, why: str) -> StoreError:
    return StoreError(
        f"{type(model).__name__} has no portable form: {why}.",
        remedy="Deploy another form of the model, or change what is named.",
        reasons=[f"{why}."],
    )


def document_of(model: Any, schema: Schema, frame: str, /) -> dict[str, Any]:
    """Return a fitted model as the document that `model.json` holds.

    Raises:
        NoTablesError: a part of it has no tables.
    """
    import sklearn

    version = ".".join(sklearn.__version__.split(".")[:2])
    refuse_if(version not in KNOWN, f"scikit-learn {sklearn.__version__} is not one of those read: {', '.join(KNOWN)}")
    w = _writing(Writing, schema, frame)
    outputs = _outputs(w.predict(model, w.row()), schema.outputs)
    return {
        "format_version": FORMAT_VERSION,
        "inputs": [{"name": name, "type": "text" if text else "number"} for name, text in w.inputs.items()],
        "steps": w.steps,
        "outputs": outputs,
    }


def _writing(kind: type[_Written], schema: Schema, frame: str) -> _Written:
    properties = schema.inputs["properties"]
    inputs = {name: "string" in _types(properties[name]) for name in schema.inputs["required"]}
    whole = {name: _whole(properties[name]) for name in inputs} if frame != "arrays" else {}
    return kind(inputs=inputs, frame=frame, transformers=TRANSFORMERS, predictors=PREDICTORS, whole=whole)


def _types(spec: Mapping[str, Any]) -> list[str]:
    return [spec["type"]] if isinstance(spec["type"], str) else list(spec["type"])


def _whole(spec: Mapping[str, Any]) -> str:
    """Return the type of a column that a frame does not hold in double precision, else nothing."""
    return next((one for one in ("boolean", "integer") if _types(spec) == [one]), "")


def _outputs(answer: Answer, schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the outputs of the schema, each as an element of a step."""
    names = list(schema["required"])
    predictions = [name for name in names if name.startswith("prediction")]
    made = []
    given = answer.label or answer.value
    if given is None or given.width != len(predictions):
        raise NoTablesError(f"{0 if given is None else given.width} targets are answered, not {len(predictions)}")
    for at, name in enumerate(predictions):
        labels = schema["properties"][name].get("enum")
        refuse_if((labels is None) != (answer.label is None), "labels are answered as numbers, or numbers as labels")
        made.append(_output(name, given, at, labels))
    probabilities = names[len(predictions) :]
    if probabilities:
        shares = answer.probability
        if shares is None or shares.width != len(probabilities):
            raise NoTablesError("its probabilities are not covered")
        made += [_output(name, shares, at, None) for at, name in enumerate(probabilities)]
    return made


def _output(name: str, of: Ref, at: int, labels: Any) -> dict[str, Any]:
    return {"name": name, "from": of.step, "at": at, "labels": None if labels is None else list(labels)}
