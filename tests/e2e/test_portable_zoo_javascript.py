"""The zoo of portable models again: what the scorer in JavaScript answers to the same hostile rows."""

from __future__ import annotations

import shutil

import pytest

from .portable_languages import NEAR, ZOO, ask_instead, check_all, check_one, conftest_of

NODE = conftest_of("javascript")
pytestmark = pytest.mark.live


class Scorer:
    """Scores columns by JavaScript, as the loader of Python does."""

    def __init__(self, node, data):
        self.node, self.outputs = node, node.load(data.decode())["outputs"]

    def score(self, columns):
        found = self.node.columns(columns)
        if None in found:
            raise ValueError("a row is refused")
        return dict(zip(self.outputs, map(list, zip(*found, strict=True)), strict=True))

    def row(self, cells):
        (found,) = self.node.answers([{f"x{n}": cell for n, cell in enumerate(cells)}])
        return found


@pytest.fixture
def node(monkeypatch):
    """Start Node, and let the zoo ask it instead of Python."""
    NODE.check_there(node=shutil.which("node"))
    started = NODE.Node()
    ask_instead(monkeypatch, lambda data: Scorer(started, data))
    yield started
    started.end()


@pytest.mark.parametrize("name", ["KNeighborsRegressor", "MLPClassifier", "RandomForestClassifier", "SVC"])
def test_some_answer_in_javascript_as_they_did(name, node):
    check_one(name)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_none_is_silently_wrong_in_javascript(node, record_property):
    told, largest, _ = check_all(lambda name, kind: 0.0 if name in ZOO.EXACT and kind == "regressor" else NEAR)
    record_property("figure: scikit-learn's estimators in JavaScript, within 1e-10", f"{told}, largest {largest:.1e}")
