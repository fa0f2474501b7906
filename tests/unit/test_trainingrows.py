from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import mlopskit as mk
from mlopskit import trainingrows
from mlopskit.data import Dataset
from mlopskit.drift import counted
from mlopskit.errors import IntegrityError
from mlopskit.trainingrows import counts_of, keep, trained_on

NAME = "mood"
TRAIN = Dataset(columns={"text": ["Good", "bad", "bad"], "size": [1, 2, 2], "y": [0, 1, 1]}, target="y")
TEST = Dataset(columns={"size": [1.0, 2.0, 1.0, 3.0], "text": ["good ", "bad", "bad", "bad"], "y": [0] * 4}, target="y")


def package(train: str | None, names: list[str]) -> Any:
    schema = {"inputs": {"required": names}, "outputs": {}}
    manifest = {"name": NAME, "provenance": {"data": {"train": train}}, "schema": schema}
    return mk.ModelPackage(folder=None, digest="", manifest=manifest, files={})  # type: ignore[arg-type]


def files(registry: mk.Registry) -> dict[str, int]:
    return {key.rpartition("/")[2]: size for key, size in registry.storage.list(f"{NAME}/rows")}


def test_rows_that_were_trained_on_are_known_again_exactly_and_written_alike(registry: mk.Registry) -> None:
    keep(registry, NAME, TRAIN)
    assert trained_on(registry, package(TRAIN.digest, ["text", "size"]), TEST) == {0, 1}
    assert trained_on(registry, package(TRAIN.digest, ["text", "size"]), TEST, alike=False) == {1}
    assert files(registry) == {"exact.bin": 16, "alike.bin": 16}


def test_the_form_written_alike_is_kept_only_where_it_differs(registry: mk.Registry) -> None:
    keep(registry, NAME, TRAIN.take([1, 2]))
    assert files(registry) == {"exact.bin": 8}
    assert trained_on(registry, package(TRAIN.take([1, 2]).digest, ["size", "text"]), TEST) == {1}
    loud = replace(TEST, columns={**TEST.columns, "text": ["BAD"] * 4})
    assert trained_on(registry, package(TRAIN.take([1, 2]).digest, ["size", "text"]), loud) == {1}


def test_the_same_data_with_other_inputs_are_other_rows(registry: mk.Registry) -> None:
    keep(registry, NAME, TRAIN)
    assert trained_on(registry, package(TRAIN.digest, ["text"]), TEST) is None
    keep(registry, NAME, replace(TRAIN, slices=("size",)))
    assert trained_on(registry, package(TRAIN.digest, ["text"]), TEST) == {0, 1, 2, 3}


def test_what_was_not_kept_is_not_known(registry: mk.Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    for digest in (TRAIN.digest, None):
        assert trained_on(registry, package(digest, ["text", "size"]), TEST) is None
    monkeypatch.setattr(trainingrows, "MOST", 2)
    keep(registry, NAME, TRAIN)
    assert files(registry) == {}


def test_rows_are_hashed_once_for_each_training_data(registry: mk.Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(registry, NAME, TRAIN)
    before = sorted(registry.storage.list(NAME))
    monkeypatch.setattr(trainingrows.rowkeys, "hashes", lambda *_: pytest.fail("hashed again"))
    keep(registry, NAME, TRAIN)
    assert sorted(registry.storage.list(NAME)) == before


@pytest.mark.parametrize("data", [b"1234567", np.array([2, 1], "<u8").tobytes(), np.array([1, 1], "<u8").tobytes()])
def test_damaged_hashes_are_an_error(registry: mk.Registry, data: bytes) -> None:
    keep(registry, NAME, TRAIN)
    (key,) = (key for key, _ in registry.storage.list(f"{NAME}/rows") if key.endswith("exact.bin"))
    place = registry.storage.local(key)
    assert place
    place.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"exact\.bin' are damaged"):
        trained_on(registry, package(TRAIN.digest, ["text", "size"]), TEST)


# --- counts of their columns ----------------------------------------------------------------------------------------


def test_what_the_columns_held_is_kept_once_and_read_back(registry: mk.Registry) -> None:
    made = package(TRAIN.digest, ["text", "size"])
    assert counts_of(registry, made.manifest) is None
    assert counts_of(registry, package(None, ["text", "size"]).manifest) is None
    keep(registry, NAME, TRAIN)
    keep(registry, NAME, TRAIN)
    assert counts_of(registry, made.manifest) == counted(TRAIN)
    assert counts_of(registry, package(TRAIN.digest, ["text"]).manifest) is None


@pytest.mark.parametrize("data", [b"x", b"[]", b'{"columns":[1]}', b'{"columns":[{"edges":[]}]}'])
def test_damaged_counts_are_refused(registry: mk.Registry, data: bytes) -> None:
    keep(registry, NAME, TRAIN)
    (key,) = [key for key, _ in registry.storage.list(f"{NAME}/columns")]
    path = registry.storage.local(key)
    assert path
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="counts of training rows"):
        counts_of(registry, package(TRAIN.digest, ["text", "size"]).manifest)
