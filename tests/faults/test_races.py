"""Eight processes at once: of those who move one alias exactly one wins; those who publish the same all succeed."""

import json
import subprocess
import sys
from pathlib import Path

from mlopskit.aliases import Alias
from mlopskit.builtin.folder import FolderStorage
from mlopskit.disk import ASIDE

ROUNDS = 200


def race(act, folder, rounds):
    """Return what each of the eight came to in each round, as a list for each round."""
    command = [sys.executable, Path(__file__).with_name("promoters.py"), act, folder, str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    return [*zip(*json.loads(done.stdout), strict=True)]


def test_of_eight_promoters_exactly_one_wins_each_number(tmp_path, record_property):
    rounds = race("promote", tmp_path / "share", ROUNDS)
    assert len(rounds) == ROUNDS
    for number, said in enumerate(rounds, 1):
        assert len(said) == 8
        assert sum(one["won"] for one in said) == 1, f"round {number}"
        winner = next(one for one in said if one["won"])
        assert winner["seq"] == number
        # Those who lost were told of the one that won.
        assert {one["operation"] for one in said} == {winner["operation"]}
    storage = FolderStorage(str(tmp_path / "share"))
    alias = Alias(storage, "m/aliases", "m", "production")
    history = alias.history()
    assert [record.operation for record in history] == [said[0]["operation"] for said in rounds]
    assert storage.read("m/aliases/production.json", limit=1 << 20) == history[-1].data()
    assert alias.head() == history[-1]
    assert len({record.why for record in history}) > 1, "not always the same one wins"
    record_property("figure: eight promoters at once", f"{ROUNDS} rounds, one winner in each")
    assert [*(tmp_path / "share" / ASIDE).iterdir()] == []


def test_of_eight_publishers_of_the_same_all_succeed_with_one_copy(tmp_path):
    rounds = race("publish", tmp_path / "share", 30)
    assert [sum(one["won"] for one in said) for said in rounds] == [1] * 30
    storage = FolderStorage(str(tmp_path / "share"))
    for turn in range(30):
        assert len([*storage.list(f"m/packages/{turn}")]) == 21
        assert storage.read(f"m/packages/{turn}/manifest.json", limit=100) == b"{}" * turn
    assert [*(tmp_path / "share" / ASIDE).iterdir()] == []
