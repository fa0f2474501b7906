import contextlib
import json
import os
import resource
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlopskit.runtime import places, watch, watching
from mlopskit.runtime.errors import (
    AliasError,
    IntegrityError,
    LimitError,
    PackageError,
    RollbackError,
    RowError,
    StorageError,
    UnsafeModelError,
    UnsafeNameError,
    UsageError,
)

SELDOM = 3600


class Times:
    """A loader of packages that multiply by a number."""

    def __init__(self):
        self.loaded = []

    def load(self, files, spec):
        factor = json.loads(files["model.json"])["factor"]
        self.loaded.append(factor)
        if not isinstance(factor, int):
            raise ValueError(f"no factor: {factor}")
        return type("Scorer", (), {"score": lambda _, rows: {"prediction": [factor * x for x in rows["x"]]}})()


@pytest.fixture
def loader():
    return Times()


@pytest.fixture
def start(loader):
    """Return what watches a place, and closes all at the end."""
    with contextlib.ExitStack() as stack:

        def begin(place, every=SELDOM, **options):
            loaders = {"portable": lambda: loader}
            return stack.enter_context(watch(place, alias="production", every=every, loaders=loaders, **options))

        yield begin


@pytest.fixture(params=["folder", "address"])
def place(request, published):
    """A published model, as a folder and at an address."""
    if request.param == "folder":
        return str(published.folder)
    return f"{request.getfixturevalue('shop').address}/sentiment"


def answer(watched):
    return watched.predict([{"x": 1}])[0]["prediction"]


def until(condition):
    """Wait for what another thread does; pytest's own limit ends it."""
    while not condition():
        time.sleep(0.005)


# --- following ------------------------------------------------------------------------------------------------------


def test_it_answers_with_what_the_alias_names_and_follows_it(place, published, start):
    watched = start(place)
    assert answer(watched) == 1
    assert watched.score({"x": [1, 2]}) == {"prediction": [1, 2]}
    before = watched.state
    assert (before.digest, before.record, before.failure) == (published.one, published.records[0], None)
    assert before.checked <= before.next - SELDOM * 0.8
    second = published.move(published.two, hint=False)
    assert watched.look().record == second
    assert answer(watched) == 2
    assert watched.state.since >= before.since
    with pytest.raises(RowError):
        watched.predict([{"x": "y"}])


def test_it_looks_by_itself(place, published, start):
    watched = start(place, every=0.01)
    published.move(published.two)
    until(lambda: watched.state.digest == published.two)
    assert answer(watched) == 2


def test_a_record_that_names_the_same_package_loads_nothing(place, published, start, loader):
    watched = start(place)
    since = watched.state.since
    record = published.move(published.one)
    assert watched.look().record == record
    assert watched.state.since == since
    assert loader.loaded == [1]


def test_a_rollback_by_a_new_record_is_followed(place, published, start):
    watched = start(place)
    for digest, expected in ((published.two, 2), (published.one, 1)):
        published.move(digest)
        watched.look()
        assert answer(watched) == expected


def test_a_withdrawn_model_answers_no_more(place, published, start):
    watched = start(place)
    published.move(None)
    state = watched.look()
    assert (state.digest, state.failure, state.record.seq) == (None, None, 2)
    with pytest.raises(AliasError, match="nothing is live"):
        answer(watched)
    published.move(published.one)
    watched.look()
    assert answer(watched) == 1


def test_an_alias_that_has_no_record_yet_is_waited_for(tmp_path, published, start):
    shutil.rmtree(published.folder / "aliases")
    watched = start(published.folder)
    assert type(watched.state.failure) is AliasError
    with pytest.raises(AliasError, match=r"No model answers .* has no record"):
        answer(watched)
    published.records.clear()
    published.move(published.two)
    watched.look()
    assert answer(watched) == 2


# --- what goes wrong ------------------------------------------------------------------------------------------------


def damaged(published):
    """Yield packages that must not be taken: what is wrong, the error, the digest."""
    changed, gone = published.package(3), published.package(4)
    published.file(changed, "model.json").write_bytes(b'{"factor":9}')
    published.file(gone, "data/words.txt").unlink()
    return {
        "changed": (IntegrityError, changed),
        "incomplete": (IntegrityError, gone),
        "absent": (IntegrityError, f"sha256:{'0' * 64}"),
        "another model's": (IntegrityError, published.package(5, name="other")),
        "not to be loaded": (UnsafeModelError, published.package("x")),
        "without a form": (PackageError, published.package(6, models=[])),
        "answering otherwise": (PackageError, published.package(7, expected=8)),
    }


def test_a_bad_package_changes_nothing_and_is_not_tried_again_at_each_look(place, published, start, loader):
    watched = start(place)
    for what, (error, digest) in damaged(published).items():
        published.move(digest)
        tried = len(loader.loaded)
        for _ in range(5):
            state = watched.look()
            assert type(state.failure) is error, what
            assert (state.digest, answer(watched)) == (published.one, 1)
            assert state.checked <= state.failed
        assert len(loader.loaded) - tried <= 1
    published.move(published.two)
    assert watched.look().failure is None
    assert answer(watched) == 2


@pytest.mark.parametrize("part", ["inputs", "outputs"])
def test_other_columns_are_not_taken_by_who_promised_callers_the_same(part, published, columns_schema, start):
    schema = {name: columns_schema(x={"type": "number"}) for name in ("inputs", "outputs")}
    schema["outputs"] = columns_schema(prediction={"type": "number"})
    wider = {"prediction": {"type": "number"}} if part == "outputs" else {"x": {"type": "number"}}
    other = published.package(3, schema={**schema, part: columns_schema(**wider, more={"type": "number"})})
    bounded = published.package(4, schema={**schema, "inputs": columns_schema(x={"type": "number", "minimum": 0})})
    watched = start(published.folder, same_columns=True)
    published.move(other)
    failure = watched.look().failure
    assert isinstance(failure, PackageError)
    assert f"has other {part} than the model that answers: 'more'" in failure.message
    assert answer(watched) == 1
    published.move(bounded)
    assert watched.look().failure is None
    assert answer(watched) == 4


def test_other_columns_are_not_taken_after_the_model_was_withdrawn_either(published, columns_schema, start):
    number = {"type": "number"}
    schema = {"inputs": columns_schema(x=number, more=number), "outputs": columns_schema(prediction=number)}
    watched = start(published.folder, same_columns=True)
    for digest in (None, published.package(3, schema=schema)):
        published.move(digest)
        state = watched.look()
    assert "has other inputs than" in state.failure.message
    with pytest.raises(AliasError):
        answer(watched)
    published.move(published.two)
    assert watched.look().failure is None
    assert answer(watched) == 2


def test_a_package_that_was_repaired_is_taken_in_the_end(place, published, start):
    watched = start(place, every=0.01)
    digest = published.package(3)
    published.file(digest, "model.json").rename(published.folder / "aside")
    published.move(digest)
    until(lambda: watched.state.failure)
    assert answer(watched) == 1
    (published.folder / "aside").rename(published.file(digest, "model.json"))
    until(lambda: watched.state.failure is None)
    assert answer(watched) == 3


def test_a_place_that_is_away_changes_nothing(published, start):
    watched = start(published.folder)
    away = published.folder.with_name("away")
    published.folder.rename(away)
    state = watched.look()
    assert isinstance(state.failure, StorageError)
    assert answer(watched) == 1
    away.rename(published.folder)
    published.move(published.two)
    assert watched.look().failure is None
    assert answer(watched) == 2


def test_it_asks_less_often_while_the_place_is_away(published, start):
    watched = start(published.folder, every=1000)
    shutil.rmtree(published.folder)
    pauses = [(state := watched.look()).next - state.failed for _ in range(3)]
    assert all(pause <= 1000.1 for pause in pauses)  # never more seldom than asked for, if that is seldom
    watched._follower.every = 1
    pauses = [(state := watched.look()).next - state.failed for _ in range(20)]
    assert min(pauses) >= 0.8
    assert pauses[-1] >= 0.8 * watching.LONGEST
    assert len(set(pauses)) == 20  # all at once came, not all at once go


def test_an_older_state_is_refused_and_a_new_record_is_not(place, published, start):
    published.move(published.two)
    watched = start(place)
    record = published.folder / "aliases" / "production" / "2"
    record.rename(record.with_name("aside"))
    (published.folder / "aliases" / "production.json").write_bytes(published.records[0].data())
    state = watched.look()
    assert isinstance(state.failure, RollbackError)
    assert answer(watched) == 2
    record.with_name("aside").rename(record)
    published.move(published.one)
    assert watched.look().failure is None
    assert answer(watched) == 1


def test_whatever_a_loader_raises_ends_neither_the_thread_nor_the_model(place, published, start, loader, monkeypatch):
    watched = start(place, every=0.01)

    def exhausted(files, spec):
        raise MemoryError

    monkeypatch.setattr(loader, "load", exhausted)
    published.move(published.two)
    until(lambda: watched.state.failure)
    assert answer(watched) == 1
    monkeypatch.undo()
    until(lambda: watched.state.failure is None)
    assert answer(watched) == 2


def test_code_that_ends_the_process_does_not(published, start, loader, monkeypatch):
    watched = start(published.folder, every=0.01)
    monkeypatch.setattr(loader, "load", lambda *_: sys.exit(1))
    published.move(published.two)
    until(lambda: watched.state.failure)
    monkeypatch.undo()
    until(lambda: watched.state.failure is None)
    assert answer(watched) == 2


def test_an_alias_that_is_broken_is_looked_at_as_often_as_before(published, start):
    watched = start(published.folder, every=10)
    shutil.rmtree(published.folder / "aliases" / "production" / "1")
    for _ in range(10):
        state = watched.look()
        assert isinstance(state.failure, RollbackError)
        assert state.next - state.failed <= 10.1


def test_a_temporary_folder_that_was_swept_away_is_made_again(published, shop, start):
    watched = start(f"{shop.address}/sentiment")
    shutil.rmtree(watched._memory.packages.parent)
    published.move(published.two)
    assert watched.look().failure is None
    assert answer(watched) == 2
    kept = watched._memory.packages.parent
    watched.close()
    assert not kept.exists()


def test_a_full_disk_changes_nothing(published, shop, start, tmp_path):
    watched = start(f"{shop.address}/sentiment", folder=tmp_path / "own", every=0.02)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # A record can be written, a manifest cannot.
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
        published.move(published.two)
        until(lambda: watched.state.failure)
        assert "File too large" in watched.state.failure.message
        assert answer(watched) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    until(lambda: watched.state.failure is None)
    assert answer(watched) == 2


def test_a_failure_holds_no_package_in_memory(published, start):
    watched = start(published.folder)
    published.move(damaged(published)["not to be loaded"][1])
    failure = watched.look().failure
    assert failure.__traceback__ is None
    assert failure.__cause__ is None


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_a_reader_that_begins_again_goes_on_with_what_it_has(published, shop, start, tmp_path):
    published.move(published.two)
    options = {"folder": tmp_path / "own"}
    start(f"{shop.address}/sentiment", **options).close()
    shop.instead = lambda request: request.send_error(503) is None
    watched = start(f"{shop.address}/sentiment", **options)
    assert isinstance(watched.state.failure, StorageError)
    assert (answer(watched), watched.state.digest) == (2, published.two)
    shop.instead = lambda _: False
    published.move(published.one)
    assert watched.look().failure is None
    assert answer(watched) == 1


def test_a_reader_that_begins_again_remembers_what_it_saw(place, published, start, tmp_path):
    published.move(published.two)
    start(place, folder=tmp_path / "own").close()
    shutil.rmtree(published.folder / "aliases" / "production" / "2")
    watched = start(place, folder=tmp_path / "own")
    assert isinstance(watched.state.failure, RollbackError)
    without = start(place)
    assert without.state.digest == published.one


def test_a_damaged_copy_is_downloaded_again(published, shop, start, tmp_path):
    start(f"{shop.address}/sentiment", folder=tmp_path / "own").close()
    copy = tmp_path / "own" / "packages" / published.one.removeprefix("sha256:")
    (copy / "model.json").write_bytes(b"{}")
    assert answer(start(f"{shop.address}/sentiment", folder=tmp_path / "own")) == 1
    assert (copy / "model.json").read_bytes() == b'{"factor":1}'


def test_only_what_is_needed_is_kept_and_nothing_half_downloaded(published, shop, start, tmp_path):
    own = tmp_path / "own" / "packages"
    (own / ".part-of-a-reader-that-was-killed").mkdir(parents=True)
    watched = start(f"{shop.address}/sentiment", folder=tmp_path / "own")
    third = published.package(3)
    for digest in (published.two, third):
        published.move(digest)
        watched.look()
    assert {path.name for path in own.iterdir()} == {one.removeprefix("sha256:") for one in (published.two, third)}


@pytest.mark.usefixtures("umask_of_none")
def test_what_is_kept_is_this_users_alone(shop, start, tmp_path):
    start(f"{shop.address}/sentiment", folder=tmp_path / "own")
    for folder in (tmp_path / "own", tmp_path / "own" / "packages"):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_another_alias_is_refused(published, start, tmp_path):
    start(published.folder, folder=tmp_path / "own").close()
    with pytest.raises(UsageError, match="does not say what was seen of the alias 'candidate'"):
        watch(published.folder, alias="candidate", folder=tmp_path / "own")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be used"):
        watch(published.folder, alias="production", folder=tmp_path / "file")


def test_what_was_downloaded_without_a_folder_goes(published, shop, start):
    watched = start(f"{shop.address}/sentiment")
    kept = watched._memory.packages
    assert [path.name for path in kept.iterdir()] == [published.one.removeprefix("sha256:")]
    watched.close()
    watched.close()
    assert not kept.exists()
    assert answer(watched) == 1
    assert not watched._thread.is_alive()


# --- usage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [0, -1, float("nan"), float("inf"), True])
def test_what_cannot_be_a_pause_is_refused(every, published):
    with pytest.raises(UsageError, match="seconds is not possible"):
        watch(published.folder, alias="production", every=every)


@pytest.mark.parametrize("alias", ["", "../production", "production.json", "A", None, 5])
def test_what_cannot_be_an_alias_is_refused(alias, published):
    with pytest.raises(UnsafeNameError, match="alias"):
        watch(published.folder, alias=alias)


def test_a_place_says_what_it_is(published, start):
    watched = start(published.folder)
    assert repr(watched) == f"Watched('sentiment', alias='production', digest='{published.one}')"
    assert watched._thread.name == "watch sentiment@production"


def test_a_place_away_at_the_beginning_is_told(tmp_path, start):
    watched = start(tmp_path / "nowhere" / "sentiment")
    with pytest.raises(AliasError, match="cannot be read: it is not there"):
        answer(watched)


def test_many_threads_get_answers_of_one_model_each(published, start):
    watched = start(published.folder, every=0.001)
    factors = {published.package(factor): factor for factor in range(1, 11)}
    done = threading.Event()

    def ask():
        asked, seen = 0, set()
        while not done.is_set() or not asked:
            model = watched.model
            (row,) = model.predict([{"x": 7}])
            assert row["prediction"] == 7 * factors[model.digest]
            seen.add(model.digest)
            asked += 1
            time.sleep(0.0001)
        return asked, seen

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        for digest in factors:
            published.move(digest)
            until(lambda expected=digest: watched.state.digest == expected)
        done.set()
        assert all(one.result()[0] for one in asking)
    assert watched.state.failure is None


def test_a_place_at_a_path_is_a_folder(published):
    place = places.place_at(str(published.folder), limit=0)
    assert place.name == "sentiment"
    assert place.get("aliases/production.json", limit=1 << 16) == published.records[0].data()
    assert place.get("aliases/production.json", limit=3) == published.records[0].data()[:4]
    assert place.get("aliases/absent.json", limit=3) is None
    assert place.get("aliases/production.json/absent", limit=3) is None
    with pytest.raises(UnsafeNameError, match="name of a model's folder"):
        places.place_at("/", limit=0)
    with pytest.raises(StorageError, match="cannot be read"):
        place.get("aliases", limit=3)


def test_a_pipe_does_not_hang_a_reader(published):
    os.mkfifo(published.folder / "aliases" / "pipe.json")
    with pytest.raises(PackageError, match="no plain file"):
        places.place_at(str(published.folder), limit=0).get("aliases/pipe.json", limit=3)


def test_a_package_larger_than_the_limit_is_not_downloaded(published, shop, start):
    watched = start(f"{shop.address}/sentiment", limit=10)
    assert isinstance(watched.state.failure, LimitError)
    assert not [path for path, _ in shop.asked if path.endswith("model.json")]


def test_what_was_judged_of_what_answers_is_told(published, start):
    record = published.folder / "verdicts" / published.one.removeprefix("sha256:") / "1" / "record.json"
    record.parent.mkdir(parents=True)
    record.write_text('{"dataset":"sha256:2","findings":[{"passed":true}],"override":null}')
    watched = start(published.folder)
    assert watched.verdict == {"passed": True, "override": None, "dataset": "sha256:2"}
    published.move(published.two)
    watched.look()
    assert watched.verdict is None
    record.write_text("{")
    published.move(published.one)
    assert watched.look().failure is None
    assert watched.verdict is None


def test_what_is_kept_is_asked_its_golden_rows_before_it_answers_again(published, shop, start, tmp_path):
    place = f"{shop.address}/sentiment"
    assert answer(start(place, folder=tmp_path / "own")) == 1
    shop.instead = lambda request: request.send_error(503) is None

    def load(files, spec):  # the engine was changed while nobody answered
        return type("Scorer", (), {"score": lambda _, rows: {"prediction": [7.0 for _ in rows["x"]]}})()

    changed = type("Loader", (), {"load": staticmethod(load)})
    watched = watch(place, alias="production", every=SELDOM, folder=tmp_path / "own", loaders={"portable": changed})
    with watched, pytest.raises(AliasError):
        watched.predict([{"x": 1}])
