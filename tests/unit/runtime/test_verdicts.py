import pytest

from mlopskit.runtime import canonical
from mlopskit.runtime.errors import ManifestError
from mlopskit.runtime.verdicts import summary, verdict_on

DIGEST = "sha256:" + "1" * 64
PASSED = {"findings": [{"passed": True}], "override": None, "dataset": "sha256:2"}


def read(*tables):
    files = {
        f"verdicts/{'1' * 64}/{number}/record.json": table if isinstance(table, bytes) else canonical.dumps(table)
        for number, table in enumerate(tables, 1)
    }
    return verdict_on(lambda key, limit: files.get(key), DIGEST)


def test_the_newest_verdict_is_told():
    assert read() is None
    assert read({"findings": []}, PASSED) == {"passed": True, "override": None, "dataset": "sha256:2"}
    assert read(PASSED, {**PASSED, "findings": [{"passed": True}, {"passed": False}], "override": "we must"}) == {
        "passed": False,
        "override": "we must",
        "dataset": "sha256:2",
    }


@pytest.mark.parametrize("table", [{}, {"findings": "all"}, {"findings": [1], "override": 1, "dataset": []}])
def test_of_what_is_no_verdict_nothing_good_is_told(table):
    assert summary(table) == {"passed": False, "override": None, "dataset": None}


def test_what_is_malformed_is_refused():
    with pytest.raises(ManifestError):
        read(b"{")
