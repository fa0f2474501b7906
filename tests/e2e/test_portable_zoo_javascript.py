"""The zoo of portable models again: what the scorer in JavaScript answers to the same hostile rows."""

from __future__ import annotations

import importlib.util
import shutil
import warnings
from pathlib import Path

import pytest
from sklearn.linear_model import LinearRegression

from mlopskit.builtin.portable.writing import NoTablesError

HERE = Path(__file__).parent
NEAR = 1e-10
pytestmark = pytest.mark.live


def module_of(path):
    spec = importlib.util.spec_from_file_location(f"javascript_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ZOO = module_of(HERE / "test_portable_zoo.py")
NODE = module_of(HERE.parent / "unit" / "builtin" / "portable" / "javascript" / "conftest.py")


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
    transformers = ZOO.TRANSFORMERS
    written = transformers.document_of

    def document_of(*given, **more):
        data, _, made = written(*given, **more)
        return data, Scorer(started, data), made

    monkeypatch.setattr(ZOO, "load", lambda files, _: Scorer(started, files["model.json"]))
    monkeypatch.setattr(transformers, "document_of", document_of)
    monkeypatch.setattr(transformers, "scorer_of", lambda scorer, _: scorer.row)
    yield started
    started.end()


def compared(name, kind, found):
    """Return the rows and the largest difference; None if the estimator has no tables."""
    features, _ = ZOO.ZOO.rows_for("regressor", "", LinearRegression().__sklearn_tags__())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if kind == "transformer":
                return ZOO.TRANSFORMERS.check(name, found, features)[:2]
            return ZOO.check(kind, name, found)[:2]
        except NoTablesError:
            return None


@pytest.mark.parametrize("name", ["KNeighborsRegressor", "MLPClassifier", "RandomForestClassifier", "SVC"])
def test_some_answer_in_javascript_as_they_did(name, node):
    kind, _, found = next(one for one in ZOO.ZOO.kinds() if one[1] == name)
    rows, worst = compared(name, kind, found)
    assert rows == ZOO.ASKED
    assert worst <= NEAR


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_none_is_silently_wrong_in_javascript(node, record_property):
    transformers = [("transformer", name, found) for name, found in ZOO.TRANSFORMERS.kinds()]
    exact, wrong, largest = {}, [], 0.0
    for kind, name, found in [*ZOO.ZOO.kinds(), *transformers]:
        try:
            done = compared(name, kind, found)
        except AssertionError as error:
            wrong.append((name, str(error)[:300]))
            continue
        if done is not None:
            exact[kind] = exact.get(kind, 0) + 1
            largest = max(largest, done[1])
            bound = 0.0 if name in ZOO.EXACT and kind == "regressor" else NEAR
            if not done[1] <= bound:
                wrong.append((name, done[1]))
    assert wrong == []
    told = ", ".join(f"{count} {kind}s" for kind, count in exact.items())
    record_property("figure: scikit-learn's estimators in JavaScript, within 1e-10", f"{told}, largest {largest:.1e}")
