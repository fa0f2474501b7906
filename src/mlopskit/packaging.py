"""Packaging: save, reopen in a fresh process, evaluate there, golden rows, write. What is judged is what ships."""

from __future__ import annotations

import contextlib
import dataclasses
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from mlopskit import behaviour, estimators, golden, isolated, plugins, robustness
from mlopskit.commits import sha256_of
from mlopskit.errors import DataError, MlopskitError, StoreError
from mlopskit.evaluation import Evaluation
from mlopskit.evaluator import Answered, Evaluator
from mlopskit.format import Format
from mlopskit.importance import importance
from mlopskit.modelcard import model_card
from mlopskit.modelpackage import ModelPackage, Schema, StoredModel
from mlopskit.recipe import Recipe
from mlopskit.runtime import canonical
from mlopskit.runtime.golden import GoldenRow, Scale, answers_labels, compare_rows
from mlopskit.runtime.names import check_name
from mlopskit.runtime.package import FORMAT_VERSION, MANIFEST
from mlopskit.runtime.schema import Columns
from mlopskit.runtime.scoring import rows_of
from mlopskit.tables import Table

# The form that every other is held to.
REFERENCE = "skops"


def reference_process() -> contextlib.AbstractContextManager[isolated.IsolatedModel]:
    """Start the fresh process that will open a package while there is other work to do, such as training."""
    return isolated.started([REFERENCE])


@dataclass(frozen=True, kw_only=True)
class Written:
    """A package that was just written, what it answers to the test rows, and what its inputs are worth, if asked."""

    package: ModelPackage
    outputs: Columns
    importance: Table | None = None


def write(recipe: Recipe, folder: Path, /, *, process: isolated.IsolatedModel | None = None) -> Written:
    """Write the package of a recipe into an empty folder and return it, with its answers to the test rows.

    `process` is one of `reference_process`; without it one is started.

    Raises:
        StoreError: no format can hold the model exactly; it says why for each.
        DataError: there are no test rows.
        PackageError: the stored model does not answer in a fresh process as it should.
    """
    check_name(recipe.name)
    _check_fitted(recipe.model)
    if not len(recipe.test):
        raise DataError(
            "There are no test rows.", remedy="Give test rows; a model that was not tested is not packaged."
        )
    if process is not None:
        return _Packaging(recipe, folder, process).write()
    with reference_process() as started:
        return _Packaging(recipe, folder, started).write()


def _check_fitted(model: object) -> None:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise StoreError(f"{type(model).__name__} is not fitted.", remedy="Call its fit() first.") from error
    except TypeError:  # no estimator at all; what it is instead is said later
        return


@dataclass(frozen=True)
class _Packaging:
    recipe: Recipe
    folder: Path
    process: isolated.IsolatedModel

    def write(self) -> Written:
        task = estimators.task_of(self.recipe.model, self.recipe.test)
        schema = Schema(
            inputs=self.recipe.schema, outputs=estimators.output_schema(self.recipe.model, self.recipe.test)
        )
        models, refusals = self._save(schema)
        draft = self._manifest(task, schema, models, {"golden": None, "evaluation": None, "refusals": refusals})
        digest = self._seal(draft)
        with self._others(models, digest) as others:
            outputs, evaluation, rows, worth = self._reopened(digest, models, schema, task)
            models, refusals = self._faithful(models, refusals, others, outputs, schema, task)
        (self.folder / "golden.jsonl").write_bytes(golden.dump(rows))
        (self.folder / "evaluation.json").write_bytes(canonical.dumps(evaluation.as_table()))
        (self.folder / "requirements.txt").write_text("".join(f"{pin}\n" for pin in _pins(models)), encoding="utf-8")
        about = {"golden": self._golden_entry(rows, task), "evaluation": "evaluation.json", "refusals": refusals}
        final = self._manifest(task, schema, models, about)
        (self.folder / "README.md").write_text(model_card(final, evaluation), encoding="utf-8")
        package = ModelPackage.open(self.folder, digest=self._seal({**final, "files": self._files()}))
        return Written(package=package, outputs=outputs, importance=worth)

    def _save(self, schema: Schema) -> tuple[list[StoredModel], dict[str, list[str]]]:
        frame = estimators.frame_of(self.recipe.model, schema.inputs)
        models, refusals = [], {}
        for name in self.recipe.formats or plugins.names("formats"):
            before = set(self.folder.rglob("*"))
            try:
                models.append(_format(name).save(self.recipe.model, schema, frame, self.folder))
            except StoreError as error:
                refusals[name] = list(error.culprits.get("reasons", [error.message]))  # type: ignore[call-overload]
                _remove(path for path in self.folder.rglob("*") if path not in before)
        if self.recipe.formats and refusals:
            raise _not_storable(refusals)
        if not any(model.format == REFERENCE for model in models):
            raise _not_storable(refusals)
        return models, refusals

    @contextlib.contextmanager
    def _others(self, models: Sequence[StoredModel], digest: str) -> Iterator[Mapping[str, isolated.IsolatedModel]]:
        """Let each form but the reference be opened by a process of its own, while the reference is evaluated."""
        with contextlib.ExitStack() as stack:
            found = {}
            for stored in (one for one in models if one.format != REFERENCE):
                found[stored.format] = stack.enter_context(isolated.started([stored.format]))
                self._open(found[stored.format], digest, stored)
            yield found

    def _reopened(
        self, digest: str, models: Sequence[StoredModel], schema: Schema, task: str
    ) -> tuple[Columns, Evaluation, list[GoldenRow], Table | None]:
        """Evaluate the reference form and answer the golden rows with it, in one fresh process."""
        model = self.process
        reference = next(stored for stored in models if stored.format == REFERENCE)
        self._open(model, digest, reference)
        # In which ways it is not the model is found out meanwhile.
        if reasons := _format(REFERENCE).differences(self.recipe.model, schema, reference, self.folder):
            raise _not_storable({REFERENCE: reasons})
        inputs = self.recipe.test.input_columns()
        outputs = model.score(inputs)
        # It was scored once, by what ships; changed rows are scored besides.
        scorer = Answered(inputs, outputs, model)
        evaluation = robustness.evaluate(self._evaluator(task), scorer, self.recipe.test, self.recipe.perturbed)
        if self.recipe.cases is not None:
            evaluation = dataclasses.replace(evaluation, failures=behaviour.run(self.recipe.cases, model))
        worth = importance(model, self.recipe.test, labels=answers_labels(task)) if self.recipe.importance else None
        return outputs, evaluation, self._golden(model, outputs), worth

    def _open(self, process: isolated.IsolatedModel, digest: str, stored: StoredModel) -> None:
        # The model's own code has run in training: here it runs with the same rights.
        process.open(self.folder, digest=digest, format=stored.format, trust_code=[digest])

    def _golden(self, model: isolated.IsolatedModel, outputs: Columns) -> list[GoldenRow]:
        spec = self.recipe.golden
        source = spec.source or self.recipe.test
        rows = list(rows_of(source.input_columns()))
        answered = list(rows_of(outputs if spec.source is None else model.score(source.input_columns())))
        chosen = golden.choose(rows, answered, source.label_columns(), count=spec.rows)
        kept = [golden.read_back(rows[number]) for number in chosen]
        return [GoldenRow(row=row, expected=said) for row, said in zip(kept, model.ask(kept)["rows"], strict=True)]

    def _faithful(
        self,
        models: list[StoredModel],
        refusals: Mapping[str, list[str]],
        others: Mapping[str, isolated.IsolatedModel],
        outputs: Columns,
        schema: Schema,
        task: str,
    ) -> tuple[list[StoredModel], dict[str, list[str]]]:
        """Leave out each other form that does not answer the whole test set as the reference does."""
        kept, refused = [], dict(refusals)
        gone: set[str] = set()
        for stored in models:
            process = others.get(stored.format)
            if process is None or not (reason := self._unfaithful(stored, process, outputs, schema, task)):
                kept.append(stored)
                continue
            if self.recipe.formats:
                raise _not_storable({stored.format: [reason]})
            refused[stored.format] = [reason]
            gone.update(stored.files)
        # Only now: until the last form was opened, the folder must be as its manifest says.
        _remove(self.folder / path for path in gone if not any(path in one.files for one in kept))
        return kept, refused

    def _unfaithful(
        self, stored: StoredModel, process: isolated.IsolatedModel, outputs: Columns, schema: Schema, task: str
    ) -> str | None:
        inputs = self.recipe.test.input_columns()
        expected = [
            GoldenRow(row=row, expected=out) for row, out in zip(rows_of(inputs), rows_of(outputs), strict=True)
        ]
        try:
            if reasons := _format(stored.format).differences(self.recipe.model, schema, stored, self.folder):
                return " ".join(reasons)
            answered = list(rows_of(process.score(inputs)))
        except MlopskitError as error:
            return error.message
        labels, tolerance, scale = answers_labels(task), self.recipe.golden.tolerance, self._scale(task)
        found = compare_rows(expected, answered, labels=labels, tolerance=tolerance, scale=scale)
        if not found.mismatches:
            return None
        worst = found.mismatches[0]
        return (
            f"{len(found.mismatches)} outputs of the test set differ by up to {found.largest:.3g}, for example row "
            f"{worst.row}, {worst.output}: {worst.answered!r} instead of {worst.expected!r}"
        )

    def _evaluator(self, task: str) -> Evaluator:
        return self.recipe.evaluator or evaluator_for(task)

    def _scale(self, task: str) -> Scale:
        if answers_labels(task):
            return 1.0
        spreads = {name: estimators.spread(cells) for name, cells in self.recipe.test.label_columns().items()}
        (first, *others) = spreads.values()
        return {f"prediction.{name}": scale for name, scale in spreads.items()} if others else first

    def _golden_entry(self, rows: Sequence[GoldenRow], task: str) -> dict[str, Any]:
        spec = self.recipe.golden
        source = "test" if spec.source is None else "file"
        about = {"from": source, "rows": len(rows), "scale": self._scale(task), "tolerance": spec.tolerance}
        return {"file": "golden.jsonl", **about}

    def _manifest(
        self, task: str, schema: Schema, models: Sequence[StoredModel], about: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            "environment": _environment(models),
            "evaluation": about["evaluation"],
            "files": self._files(),
            "format_version": FORMAT_VERSION,
            "golden": about["golden"],
            "models": [_model_entry(model) for model in models],
            "name": self.recipe.name,
            "provenance": {**self.recipe.provenance, "refusals": about["refusals"]},
            "schema": {"inputs": dict(schema.inputs), "outputs": dict(schema.outputs)},
            "task": task,
        }

    def _files(self) -> dict[str, dict[str, Any]]:
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file() and path.name != MANIFEST)
        return {path.relative_to(self.folder).as_posix(): _entry(path) for path in paths}

    def _seal(self, manifest: Mapping[str, Any]) -> str:
        data = canonical.dumps(dict(manifest))
        (self.folder / MANIFEST).write_bytes(data)
        return canonical.digest_of(data)


def evaluator_for(task: str, /) -> Evaluator:
    """Return the first installed evaluator for a task, with its defaults.

    Raises:
        StoreError: no installed one can judge such a model.
    """
    for name in plugins.names("evaluators"):
        found = plugins.find("evaluators", name, Evaluator)  # type: ignore[type-abstract]
        if task in found.tasks:
            return found()
    raise StoreError(
        f"No installed evaluator judges a {task} model.", remedy="Install one, or give evaluator=... of your own."
    )


def _format(name: str) -> Format:
    return plugins.find("formats", name, Format)()  # type: ignore[type-abstract]


def _remove(paths: Iterable[Path]) -> None:
    """Remove files, and the folders that are then empty."""
    for path in sorted(paths, reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()


def _not_storable(refusals: Mapping[str, Sequence[str]]) -> StoreError:
    sentences = {name: " ".join(f"{one.removesuffix('.')}." for one in why) for name, why in refusals.items()}
    reasons = " ".join(f"{name}: {why}" for name, why in sentences.items())
    return StoreError(
        f"The model cannot be stored exactly and safely. {reasons or 'The skops format is left out.'}",
        remedy="Change what is named, or choose other formats.",
        refusals=refusals,
    )


def _model_entry(model: StoredModel) -> dict[str, Any]:
    lists = {name: list(getattr(model, name)) for name in ("files", "requires", "preprocess")}
    return {"format": model.format, "frame": model.frame, **lists}


def _pins(models: Sequence[StoredModel]) -> list[str]:
    return sorted({pin for model in models for pin in model.requires})


def _environment(models: Sequence[StoredModel]) -> dict[str, Any]:
    packages = dict(pin.split("==", 1) for pin in _pins(models))
    return {
        "implementation": platform.python_implementation(),
        "machine": platform.machine(),
        "mlopskit": metadata.version("mlopskit"),
        "packages": packages,
        "python": platform.python_version(),
    }


def _entry(path: Path) -> dict[str, Any]:
    return {"sha256": sha256_of(path), "size": path.stat().st_size}
