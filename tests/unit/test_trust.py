from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from mlopskit import trust
from mlopskit.errors import UnsafeNameError, UntrustedCodeError

DIGEST = f"sha256:{'a' * 64}"
OTHER = f"sha256:{'b' * 64}"


def package(*files, digest=DIGEST):
    return SimpleNamespace(digest=digest, manifest={"name": "mood", "files": dict.fromkeys(files)})


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "mlopskit" / "trusted-code"


def test_a_package_without_code_needs_no_trust(state):
    trust.remember(package("model.skops"))
    assert not state.exists()
    trust.check(package("model.skops"))


def test_a_package_with_code_is_refused_by_its_digest():
    with pytest.raises(UntrustedCodeError, match=rf"The package {DIGEST} of 'mood' holds code of its own") as caught:
        trust.check(package("code/a.py"), [OTHER])
    assert repr(DIGEST) in caught.value.remedy
    assert caught.value.digest == DIGEST


def test_what_is_listed_or_was_made_here_is_trusted(state):
    trust.check(package("code/a.py"), [OTHER, DIGEST])
    trust.remember(package("code/a.py"))
    trust.remember(package("code/a.py"))
    trust.check(package("code/a.py"))
    assert [one.name for one in state.iterdir()] == ["a" * 64]
    assert trust.trusted(OTHER) == []
    assert trust.trusted(OTHER, [OTHER]) == [OTHER]


def test_a_home_that_cannot_be_written_remembers_nothing(state):
    state.parent.parent.write_text("a file")
    trust.remember(package("code/a.py"))
    assert trust.trusted(DIGEST) == []


def test_no_name_but_a_digest_is_looked_up():
    with pytest.raises(UnsafeNameError):
        trust.trusted("sha256:../../etc")


def test_what_is_remembered_is_this_users_alone(state, umask_of_none):
    trust.remember(package("code/a.py"))
    for folder in (state, state.parent, state.parent.parent):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_what_somebody_else_put_there_trusts_nothing(state):
    trust.remember(package("code/a.py"))
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to somebody else")
    os.chown(state / ("a" * 64), 65534, 65534)
    assert trust.trusted(DIGEST) == []
