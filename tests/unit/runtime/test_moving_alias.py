"""Readers while packages are published and an alias moves as fast as it can: no broken read, no step back."""

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlopskit.aliases import Alias
from mlopskit.builtin.folder import FolderStorage
from mlopskit.runtime import canonical, watch

ROUNDS = 50
SCHEMA = {
    part: {
        "additionalProperties": False,
        "properties": {name: {"type": "number"}},
        "required": [name],
        "type": "object",
    }
    for part, name in (("inputs", "x"), ("outputs", "prediction"))
}


def package(factor):
    """Return the files of a package that multiplies by a number."""
    files = {"model.json": json.dumps({"factor": factor}).encode(), "ballast.bin": bytes([factor]) * 300_000}
    listed = {path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for path, data in files.items()}
    form = {"files": ["model.json"], "format": "portable", "frame": "arrays", "preprocess": [], "requires": []}
    about = {"environment": {}, "evaluation": None, "golden": None, "provenance": {}, "task": "regression"}
    manifest = {"files": listed, "format_version": 1, "models": [form], "name": "m", "schema": SCHEMA, **about}
    return {**files, "manifest.json": canonical.dumps(manifest)}


class Times:
    @staticmethod
    def load(files, spec):
        factor = json.loads(files["model.json"])["factor"]
        return type("Scorer", (), {"score": lambda _, rows: {"prediction": [factor * x for x in rows["x"]]}})()


def publish(storage):
    """Publish a package a round, and let the alias name it."""
    alias, head = Alias(storage, "m/aliases", "m", "production"), None
    for factor in range(1, ROUNDS + 1):
        files = package(factor)
        digest = canonical.digest_of(files["manifest.json"])
        assert storage.commit(f"m/packages/{digest.removeprefix('sha256:')}", files, last="manifest.json")
        head = alias.append(digest, after=head, why=str(factor))
    return head


def follow(place, done):
    """Follow until the end; return what the reader saw and every failure but that the alias had no record yet."""
    seen, failures = [], []
    with watch(place, alias="production", every=3600, loaders={"portable": lambda: Times}) as watched:
        last = False
        while not last:
            last = done.is_set()
            state = watched.look()
            if state.failure is not None and state.record is None and "has no record" in str(state.failure):
                continue
            if state.failure is not None:
                failures.append(str(state.failure))
            if state.record is not None:
                assert watched.predict([{"x": 1}])[0]["prediction"] == int(state.record.why)
                seen.append(state.record.seq)
    return seen, failures


@pytest.mark.parametrize("by", ["folder", "address"])
def test_readers_of_an_alias_that_moves_all_the_time_read_it_whole(by, tmp_path, serving, record_property):
    (tmp_path / "share" / "m").mkdir(parents=True)
    done = threading.Event()
    with serving(tmp_path / "share") as shop, ThreadPoolExecutor(3) as pool:
        place = str(tmp_path / "share" / "m") if by == "folder" else f"{shop.address}/m"
        readers = [pool.submit(follow, place, done) for _ in range(3)]
        try:
            head = publish(FolderStorage(str(tmp_path / "share")))
        finally:
            done.set()
        looks = 0
        for seen, failures in (reader.result() for reader in readers):
            assert failures == []
            assert seen == sorted(seen)
            assert seen[-1] == head.seq == ROUNDS
            looks += len(seen)
    record_property(f"figure: reads of a moving alias by {by}", f"{looks} by 3 readers, {ROUNDS} moves, none broken")
