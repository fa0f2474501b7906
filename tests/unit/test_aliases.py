import dataclasses
import getpass
import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlopskit import aliases
from mlopskit.aliases import Alias
from mlopskit.builtin.folder import FolderStorage
from mlopskit.errors import ConflictError, RollbackError, StorageError, UnsafeNameError, UsageError
from mlopskit.runtime import canonical
from mlopskit.testing.memory import MemoryStorage

DIGESTS = [f"sha256:{number:064x}" for number in range(10)]


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """A state folder of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(params=["folder", "memory"])
def storage(request, tmp_path):
    return FolderStorage(str(tmp_path / "share")) if request.param == "folder" else MemoryStorage()


@pytest.fixture
def alias(storage):
    return Alias(storage, "m/aliases", "m", "production")


def fill(alias, count):
    record = None
    for number in range(count):
        record = alias.append(DIGESTS[number], after=record, why=f"for reason {number}")
    return record


def hint_of(alias):
    return alias.storage.read("m/aliases/production.json", limit=1 << 20)


def test_records_follow_one_another(alias):
    assert alias.head() is None
    assert alias.history() == []
    last = fill(alias, 3)
    assert alias.head() == last
    assert [(record.seq, record.digest) for record in alias.history()] == [
        (1, DIGESTS[0]),
        (2, DIGESTS[1]),
        (3, DIGESTS[2]),
    ]
    assert len({record.operation for record in alias.history()}) == 3
    assert hint_of(alias) == last.data()
    nothing = alias.append(None, after=last, why="")
    assert alias.head() == nothing
    assert nothing.digest is None
    assert nothing.previous == canonical.digest_of(last.data())


@pytest.mark.parametrize("after", [None, 0])
def test_who_comes_second_is_told_of_the_winner(alias, after):
    first = fill(alias, 1)
    before = first if after == 0 else None
    winner = alias.append(DIGESTS[1], after=first, why="") if before else first
    with pytest.raises(ConflictError, match=f"moved meanwhile: .* moved it to {winner.digest}") as caught:
        alias.append(DIGESTS[2], after=before, why="")
    assert caught.value.winner == winner
    assert alias.head() == winner
    assert hint_of(alias) == winner.data()


def test_a_number_taken_by_something_else_is_a_conflict_without_a_winner(alias):
    alias.storage.commit("m/aliases/production/1", {"x": b""}, last="x")
    with pytest.raises(ConflictError, match="somebody else moved it") as caught:
        alias.append(DIGESTS[1], after=None, why="")
    assert caught.value.winner is None


class Forgetful(MemoryStorage):
    """A storage whose answer to a commit gets lost: what was asked again is there already."""

    def commit(self, prefix, files, /, *, last):
        super().commit(prefix, files, last=last)
        return super().commit(prefix, files, last=last)


def test_our_own_success_is_no_conflict():
    alias = Alias(Forgetful(), "m/aliases", "m", "production")
    assert alias.head() is None
    assert fill(alias, 2).seq == 2
    assert alias.head().seq == 2


class Hintless(MemoryStorage):
    """A storage where hints cannot be written."""

    def hint(self, key, data, /):
        raise StorageError(f"{key} {data}", remedy="")


def test_a_hint_that_cannot_be_written_does_not_pass_for_an_alias_that_has_not_moved():
    alias = Alias(Hintless(), "m/aliases", "m", "production")
    assert fill(alias, 3) == alias.head()
    with pytest.raises(ConflictError):
        alias.append(DIGESTS[0], after=None, why="")


def test_a_hint_left_behind_is_written_again(alias):
    last = fill(alias, 3)
    alias.storage.hint("m/aliases/production.json", b"garbage")
    alias.refresh()
    assert hint_of(alias) == last.data()
    alias.refresh()
    assert hint_of(alias) == last.data()
    Alias(alias.storage, "m/aliases", "m", "other").refresh()
    assert alias.storage.stat("m/aliases/other.json") is None


def test_the_hint_ends_as_the_newest_record_though_somebody_appends_while_it_is_written():
    class Overtaken(MemoryStorage):
        def hint(self, key, data, /):
            if json.loads(data)["seq"] == 1:
                record = other.head()
                Alias(self, "m/aliases", "m", "production").append(DIGESTS[1], after=record, why="")
            super().hint(key, data)

    other = alias = Alias(Overtaken(), "m/aliases", "m", "production")
    alias.append(DIGESTS[0], after=None, why="")
    assert json.loads(hint_of(alias))["seq"] == 2


@pytest.mark.parametrize("why", ["x" * (1 << 16), "half a pair \ud800"], ids=["long", "surrogate"])
def test_a_reason_that_readers_would_refuse_is_refused_first(alias, why):
    with pytest.raises(UsageError, match="does not fit into a record"):
        alias.append(DIGESTS[0], after=None, why=why)
    assert alias.head() is None
    assert fill(alias, 1).seq == 1


def test_names_and_digests_are_checked(storage):
    for name, alias in (("../m", "production"), ("m", "../x"), ("m", "production.json"), ("", "x")):
        with pytest.raises(UnsafeNameError):
            Alias(storage, "m/aliases", name, alias)
    with pytest.raises(UnsafeNameError, match="is not a digest"):
        Alias(storage, "m/aliases", "m", "production").append("sha256:x", after=None, why="")


# --- what this machine remembers --------------------------------------------------------------------------------------


def test_records_that_were_deleted_are_missed_by_the_next_process(tmp_path, state):
    place = tmp_path / "share"
    alias = Alias(FolderStorage(str(place)), "m/aliases", "m", "production")
    fill(alias, 3)
    script = (
        "import sys; from mlopskit.aliases import Alias; from mlopskit.builtin.folder import FolderStorage\n"
        "from mlopskit.errors import RollbackError\n"
        "alias = Alias(FolderStorage(sys.argv[1]), 'm/aliases', 'm', 'production')\n"
        "try:\n    print(alias.head().seq)\n"
        "except RollbackError as error:\n    print(error.seen)\n    raise SystemExit(7)"
    )
    command = [sys.executable, "-c", script, str(place)]
    environment = {"XDG_STATE_HOME": str(state), "PATH": ""}
    first = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (first.returncode, first.stdout) == (0, "3\n"), first.stderr
    alias.storage.delete("m/aliases/production/3")
    second = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (second.returncode, second.stdout) == (7, "3\n"), second.stderr
    with pytest.raises(RollbackError):
        alias.head()


def test_what_one_wrote_itself_one_has_seen(alias):
    fill(alias, 2)
    alias.storage.delete("m/aliases/production/2")
    with pytest.raises(RollbackError, match="went back to record 1; 2 was seen"):
        alias.head()


def test_a_place_begun_anew_is_another_chain(alias):
    fill(alias, 3)
    for number in (1, 2, 3):
        alias.storage.delete(f"m/aliases/production/{number}")
    assert alias.head() is None
    assert fill(alias, 1) == alias.head()


def test_a_lower_number_is_never_remembered(alias, state):
    fill(alias, 3)
    (chain,) = (state / "mlopskit" / "seen").iterdir()
    assert [file.name for file in chain.iterdir()] == ["3"]
    aliases._remember(chain, 2)
    aliases._remember(chain, 5)
    assert [file.name for file in chain.iterdir()] == ["5"]


@pytest.mark.usefixtures("umask_of_none")
def test_what_was_seen_is_this_users_alone(alias, state):
    fill(alias, 1)
    assert {one.stat().st_mode & 0o777 for one in (state, *state.rglob("*")) if one.is_dir()} == {0o700}


def test_a_state_folder_that_cannot_be_used_remembers_nothing(alias, state, monkeypatch):
    state.write_text("a file")
    assert fill(alias, 2) == alias.head()
    state.unlink()
    alias.head()
    (chain,) = (state / "mlopskit" / "seen").iterdir()
    (chain / "garbage").touch()
    assert alias.head().seq == 2
    monkeypatch.delenv("XDG_STATE_HOME")

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert alias.head().seq == 2


def test_the_state_folder_is_xdgs(state, monkeypatch, tmp_path):
    assert aliases.state_folder() == state / "mlopskit"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert aliases.state_folder() == tmp_path / ".local" / "state" / "mlopskit"


@pytest.mark.parametrize("error", [OSError, KeyError, ImportError])
def test_somebody_without_a_name_is_unknown(alias, monkeypatch, error):
    def nobody():
        raise error

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert fill(alias, 1).who == "unknown"


def test_the_time_of_a_record_is_utc(alias):
    record = fill(alias, 1)
    assert record.when.endswith("+00:00")
    # A clock that goes back changes no order.
    earlier = dataclasses.replace(record, when="1970-01-01T00:00:00+00:00")
    assert earlier.data() != record.data()
    assert alias.append(DIGESTS[1], after=record, why="").seq == 2
