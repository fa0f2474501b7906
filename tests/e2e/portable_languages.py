"""The zoo of portable models, asked of a scorer in another language instead of Python's."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

from mlopskit.builtin.portable.writing import NoTablesError

HERE = Path(__file__).parent
NEAR = 1e-10


def module_of(path):
    spec = importlib.util.spec_from_file_location(f"languages_{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def conftest_of(language):
    """Return what drives a language in the tests of its scorer."""
    return module_of(HERE.parent / "unit" / "builtin" / "portable" / language / "conftest.py")


ZOO = module_of(HERE / "test_portable_zoo.py")
TRANSFORMERS = ZOO.TRANSFORMERS


def ask_instead(monkeypatch, scorer_of):
    """Let the zoo ask what is made of the bytes of a model: `score` for columns, `row` for a row of a transformer."""
    written = TRANSFORMERS.document_of

    def document_of(*given, **more):
        data, _, made = written(*given, **more)
        return data, scorer_of(data), made

    monkeypatch.setattr(ZOO, "load", lambda files, _: scorer_of(files["model.json"]))
    monkeypatch.setattr(TRANSFORMERS, "document_of", document_of)
    monkeypatch.setattr(TRANSFORMERS, "scorer_of", lambda scorer, _: scorer.row)


def check_one(name):
    """Ask one predictor of the zoo."""
    kind, _, found = next(one for one in ZOO.ZOO.kinds() if one[1] == name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows, worst, *_ = ZOO.check(kind, name, found)
    assert rows == ZOO.ASKED, rows
    assert worst <= NEAR, worst


def check_all(bound_of):
    """Ask all of the zoo, and return how many of each kind were exact, the largest difference, and the ties."""
    exact, wrong, largest, ties = {}, [], 0.0, 0
    for kind, name, told in ZOO.survey(ZOO.check, TRANSFORMERS.check, NoTablesError):
        if isinstance(told, AssertionError):
            wrong.append((name, str(told)[:300]))
        elif not isinstance(told, NoTablesError):
            rows, worst, tied, *_ = told
            exact[kind] = exact.get(kind, 0) + 1
            largest, ties = max(largest, worst), ties + tied
            if not (rows >= ZOO.ASKED and worst <= bound_of(name, kind)):
                wrong.append((name, rows, worst, tied))
    assert not wrong, wrong
    assert all(exact[kind] >= least for kind, least in ZOO.LEAST.items()), exact
    return ", ".join(f"{count} {kind}s" for kind, count in exact.items()), largest, ties
