from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import mlopskit as mk
from mlopskit.errors import (
    AliasError,
    IntegrityError,
    LimitError,
    ManifestError,
    MlopskitError,
    PackageError,
    RowError,
    UnknownNameError,
    UnsafeNameError,
    UnsafePathError,
)
from mlopskit.loading import installed_loaders


@pytest.fixture(scope="session")
def model(made: tuple[Path, str, str]) -> mk.LoadedModel:
    return mk.load(made[0] / "mood" / "packages" / made[1].removeprefix("sha256:"))


def test_a_list_of_rows_gets_a_list_of_rows(model: mk.LoadedModel) -> None:
    answers = model.predict([{"text": "good"}, {"text": "bad"}])
    assert [row["prediction"] for row in answers] == ["Positive", "Negative"]
    assert answers[0].keys() == {"prediction", "probability.Negative", "probability.Positive"}
    assert model.predict(({"text": "good"},)) == answers[:1]


def test_a_frame_gets_a_frame_of_its_kind(model: mk.LoadedModel) -> None:
    texts = {"text": ["good", "bad"]}
    for frame in (pd.DataFrame(texts, index=[7, 8]), pl.DataFrame(texts)):
        answers = model.predict(frame)
        assert type(answers) is type(frame)
        assert list(answers["prediction"]) == ["Positive", "Negative"]


MIXED = {"a": [1.5, None, -2.0], "b": [3, 1, 2], "c": [True, False, True], "d": ["x", "y", "z"], "e": [1, None, 2]}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> mk.LoadedModel:
    encode = ColumnTransformer([("text", OrdinalEncoder(), ["d"])], remainder="passthrough")
    inputs = pl.DataFrame({name: cells * 10 for name, cells in MIXED.items()})
    model = make_pipeline(encode, HistGradientBoostingClassifier(min_samples_leaf=2)).fit(inputs, ["p", "n", "p"] * 10)
    package = mk.package(
        model, inputs, ["p", "n", "p"] * 10, name="mixed", gates=[], registry=tmp_path_factory.mktemp("registry")
    )
    return mk.load(package.folder)


FRAMES: list[Callable[[Any], Any]] = [
    pd.DataFrame,
    pl.DataFrame,
    lambda columns: pd.DataFrame(columns).astype({"e": "Int64", "d": object}),
    lambda columns: pd.DataFrame(columns).convert_dtypes(),
    lambda columns: pl.DataFrame(columns).with_columns(pl.col("d").cast(pl.Categorical), pl.col("b").cast(pl.UInt8)),
]


@pytest.mark.parametrize("frame", FRAMES)
def test_rows_of_a_frame_are_answered_as_they_are_one_by_one(
    mixed: mk.LoadedModel, frame: Callable[[Any], Any]
) -> None:
    rows = [dict(zip(MIXED, cells, strict=True)) for cells in zip(*MIXED.values(), strict=True)]
    alone = [mixed.predict([row])[0] for row in rows]
    answers = mixed.predict(frame(MIXED))
    listed = answers.to_dicts() if isinstance(answers, pl.DataFrame) else answers.to_dict(orient="records")
    assert listed == alone
    assert len({str(kind) for kind in [*answers.dtypes][1:]}) == 1


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize(
    ("column", "cells", "message"),
    [
        ("a", [1.0, float("inf"), 2.0], "Row 1, column 'a': inf is not number or null"),
        ("b", [1.0, 2.0, 2.5], "Row 2, column 'b': 2.5 is not integer"),
        ("b", [1, None, 2], "Row 1, column 'b': None is not integer"),
        ("c", [1, 0, 1], "Row 0, column 'c': 1 is not boolean"),
        ("d", ["x", None, "y"], "Row 1, column 'd': None is not string"),
        ("e", [1.0, 2.0, 2.0**63], r"Row 2, column 'e': 9.223372036854776e\+18 is not integer or null"),
    ],
)
def test_a_wrong_cell_of_a_frame_is_named(
    mixed: mk.LoadedModel, kind: Callable[[Any], Any], column: str, cells: list[Any], message: str
) -> None:
    with pytest.raises(RowError, match=message):
        mixed.predict(kind({**MIXED, column: cells}))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "There are no rows."),
        (pd.DataFrame({"text": []}), "There are no rows."),
        ([{}], "Row 0 lacks the column 'text'"),
        ([{"text": "good"}, {"tex": "bad"}], r"Row 1 lacks .* unknown column 'tex' \(did you mean 'text'\?\)"),
        ([{"text": "good", "more": 1}], "Row 0 has the unknown column 'more'"),
        ([{"text": 1}], "Row 0, column 'text': 1 is not string"),
        ([{"text": None}], "Row 0, column 'text': None is not string"),
        ([{"text": ["good"]}], r"Row 0, column 'text': \['good'\] is not string"),
        (pd.DataFrame({"text": ["good", None]}), "Row 1, column 'text': None is not string"),
        (pd.DataFrame({"text": ["good", float("nan")]}), "Row 1, column 'text': None is not string"),
        (pl.DataFrame({"text": [1.5]}), "Row 0, column 'text': 1.5 is not string"),
        (pl.DataFrame({"other": ["good"]}), "lacks the column 'text' and has the unknown column 'other'"),
        (pd.DataFrame([["good", "bad"]], columns=["text", "text"]), "two columns of one name"),
        (pd.DataFrame([["good"]]), "lacks the column 'text' and has the unknown column 0"),
        ("good", "Row 0 is a str"),
        (["good"], "Row 0 is a str"),
        ({"text": ["good"]}, "The data is a dict"),
        (np.array([["good"]]), "The data is a ndarray"),
        (pd.Series(["good"]), "The data is a Series"),
        (pl.LazyFrame({"text": ["good"]}), "The data is a LazyFrame"),
        (None, "The data is a NoneType"),
        (iter([{"text": "good"}]), "The data is a list_iterator"),
    ],
)
def test_data_that_does_not_fit_is_named(model: mk.LoadedModel, data: Any, message: str) -> None:
    with pytest.raises(RowError, match=message) as caught:
        model.predict(data)
    assert caught.value.remedy


def test_a_model_says_what_it_is(model: mk.LoadedModel, made: tuple[Path, str, str]) -> None:
    assert (model.name, model.digest) == ("mood", made[1])
    assert repr(model) == f"LoadedModel('mood', {made[1][:19]}…, portable)"


def test_from_a_registry_by_digest_and_alias(project: mk.Project) -> None:
    digest = project.package().digest
    assert mk.load(f"mood@{digest}").digest == digest
    assert mk.load("mood@candidate").digest == digest
    assert mk.load(f"mood@{digest[7:17]}", registry=project.registry).digest == digest
    assert mk.load("@candidate", registry=".mlopskit/registry").digest == digest


def test_from_a_share_by_alias(project: mk.Project) -> None:
    share = Path("shares/production/mood")
    assert mk.load(share, alias="production").digest == project.package().digest
    with pytest.raises(AliasError, match="Nothing is live under 'prod' in"):
        mk.load(share, alias="prod")
    with pytest.raises(AliasError, match="Nothing is live"):
        mk.load("nowhere/mood", alias="production")
    with pytest.raises(UnsafeNameError, match=r"'\.\./x'"):
        mk.load(share, alias="../x")


@pytest.mark.parametrize("reference", ["absent", "a\0b", "absent/folder", "mood"])
def test_what_is_no_folder_is_named(reference: str) -> None:
    with pytest.raises(UnknownNameError, match="There is no folder"):
        mk.load(reference)


@pytest.mark.parametrize("reference", ["mood@../x", "../mood@candidate", "mood@", "mood@a\0b", "mo\u043ed@candidate"])
def test_names_that_are_none(project: mk.Project, reference: str) -> None:
    with pytest.raises(UnsafeNameError, match="is not allowed"):
        mk.load(reference)


def test_a_copy_opens_by_its_digest_or_by_saying_that_it_is_not_checked(
    package: mk.ModelPackage, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(package.folder, copy)
    with pytest.raises(UnsafeNameError, match="not named by a digest"):
        mk.load(copy)
    assert mk.load(copy, digest=package.digest).digest == package.digest
    assert mk.load(copy, digest="unpinned").digest == package.digest
    with pytest.raises(IntegrityError, match="expected sha256:000"):
        mk.load(copy, digest="sha256:" + "0" * 64)


def flip(folder: Path) -> None:
    file = folder / "model.skops"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def cut(folder: Path) -> None:
    file = folder / "manifest.json"
    file.write_bytes(file.read_bytes()[:-10])


def link(folder: Path) -> None:
    (folder / "README.md").rename(folder.parent / "moved")
    (folder / "README.md").symlink_to(folder.parent / "moved")


DAMAGES: list[tuple[Callable[[Path], object], type[MlopskitError], str]] = [
    (flip, IntegrityError, r"'model\.skops' was changed"),
    (cut, IntegrityError, r"manifest\.json in .* has the digest"),
    (link, UnsafePathError, r"'README\.md' in .* is no plain file"),
    (lambda folder: (folder / "golden.jsonl").unlink(), IntegrityError, r"'golden\.jsonl' is missing"),
    (lambda folder: (folder / "more.txt").touch(), IntegrityError, r"'more\.txt' in .* is not listed"),
    (lambda folder: (folder / "manifest.json").write_bytes(b" " * (5 << 20)), LimitError, "5,242,880 bytes"),
]


@pytest.mark.parametrize(("damage", "error", "message"), DAMAGES)
def test_a_damaged_package_is_not_loaded(
    package: mk.ModelPackage, damage: Callable[[Path], object], error: type[MlopskitError], message: str
) -> None:
    damage(package.folder)
    with pytest.raises(error, match=message):
        mk.load(package.folder)
    with pytest.raises(PackageError):
        mk.load(package.folder, digest="unpinned" if damage is not cut else package.digest)


def test_a_cut_manifest_is_named_where_no_digest_is_asked_for(package: mk.ModelPackage) -> None:
    cut(package.folder)
    with pytest.raises(ManifestError, match=r"manifest\.json is malformed"):
        mk.load(package.folder, digest="unpinned")


def test_a_format_that_cannot_be_loaded_here_is_named(
    package: mk.ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlopskit.loading.plugins.names", lambda _: [])
    with pytest.raises(PackageError, match="skops has no loader here"):
        mk.load(package.folder)


def test_loaders_are_imported_when_they_are_needed() -> None:
    loaders = installed_loaders()
    assert "skops" in loaders
    assert loaders["skops"]().__name__ == "mlopskit.builtin.skops.loader"  # type: ignore[attr-defined]
