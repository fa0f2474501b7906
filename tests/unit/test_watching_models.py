"""Models that follow an alias, with the loaders that are installed, wherever the alias is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import mlopskit as mk
from mlopskit import registry
from mlopskit.aliases import Alias
from mlopskit.errors import (
    IntegrityError,
    LimitError,
    StorageError,
    UnknownNameError,
    UnsafeNameError,
    UsageError,
)
from mlopskit.testing import MemoryStorage

ROWS = [{"text": "good 1"}]
Watch = Callable[..., mk.Watched]


class Away(MemoryStorage):
    """A bucket whose network may be gone."""

    gone = False

    def open(self, key: str, /) -> Any:
        if self.gone:
            raise StorageError("It cannot be reached.", remedy="Wait.")
        return super().open(key)


@pytest.fixture
def watch() -> Iterator[Watch]:
    with ExitStack() as stack:
        yield lambda place, **options: stack.enter_context(
            mk.watch(place, **{"alias": "production", "every": 3600, **options})
        )


@pytest.fixture
def digests(made: tuple[Path, str, str]) -> tuple[str, str]:
    return made[1:]


@pytest.fixture
def bucket(made: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch) -> Away:
    """Return a bucket with two packages, the first of them live."""
    storage = Away("memory://models")
    for file in (file for file in made[0].rglob("*") if file.is_file()):
        storage._files[file.relative_to(made[0]).as_posix()] = file.read_bytes()
    monkeypatch.setattr(registry, "storage_at", {storage.uri: storage}.__getitem__)
    alias(storage).append(made[1], after=None, why="")
    return storage


def alias(storage: mk.Storage) -> Alias:
    return Alias(storage, "mood/aliases", "mood", "production")


def move(storage: mk.Storage, digest: str) -> None:
    alias(storage).append(digest, after=alias(storage).head(), why="")


@pytest.mark.usefixtures("bucket")
def test_a_model_in_a_bucket_is_followed(bucket: Away, digests: tuple[str, str], watch: Watch) -> None:
    watched = watch("memory://models/mood")
    assert watched.state.failure is None
    assert watched.state.digest == digests[0]
    assert watched.predict(ROWS)[0]["prediction"] == "Positive"
    move(bucket, digests[1])
    assert watched.look().digest == digests[1]
    assert watched.predict(ROWS)[0]["prediction"] == "Positive"


def test_a_bucket_that_is_away_or_damaged_changes_nothing(
    bucket: Away, digests: tuple[str, str], watch: Watch, tmp_path: Path
) -> None:
    watched = watch("memory://models/mood", folder=tmp_path / "own")
    bucket.gone = True
    assert isinstance(watched.look().failure, StorageError)
    again = watch("memory://models/mood", folder=tmp_path / "own")
    assert isinstance(again.state.failure, StorageError)
    bucket.gone = False
    key = f"mood/packages/{digests[1].removeprefix('sha256:')}"
    model = bucket._files.pop(f"{key}/model.skops")
    move(bucket, digests[1])
    assert isinstance(watched.look().failure, IntegrityError)
    assert {one.state.digest for one in (watched, again)} == {digests[0]}
    assert {one.predict(ROWS)[0]["prediction"] for one in (watched, again)} == {"Positive"}
    bucket._files[f"{key}/model.skops"] = model
    assert again.look().digest == digests[1]


def test_what_is_not_there_and_what_is_too_large_is_told(bucket: Away, digests: tuple[str, str], watch: Watch) -> None:
    assert isinstance(watch("memory://models/mood", limit=1000).state.failure, LimitError)
    move(bucket, f"sha256:{'0' * 64}")
    assert isinstance(watch("memory://models/mood").state.failure, UnknownNameError)


def test_a_place_that_is_none_is_refused(watch: Watch) -> None:
    with pytest.raises(UnknownNameError, match="nosuch"):
        watch("nosuch://models/mood")
    with pytest.raises(UnsafeNameError, match="name of a model's folder"):
        watch("memory://models/Mood")
    with pytest.raises(UsageError):
        watch("http://127.0.0.1/models/mood?x")


def test_a_share_and_its_address_answer_alike(project: mk.Project, shop: Any, watch: Watch) -> None:
    shutil.copytree("shares/production", shop.folder)
    digest = project.package().digest
    for place in ("shares/production/mood", Path("shares/production/mood"), f"{shop.address}/mood"):
        watched = watch(place)
        assert watched.state.failure is None
        assert watched.state.digest == digest
        assert watched.predict(ROWS) == mk.load(f"mood@{digest}").predict(ROWS)
