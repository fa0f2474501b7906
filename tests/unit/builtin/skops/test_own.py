"""Models with code of their own: stored with it, loaded with it, and nothing else of it let in."""

from __future__ import annotations

import importlib
import json
import sys

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mlopskit.builtin.skops.format import SkopsFormat
from mlopskit.builtin.skops.loader import load
from mlopskit.builtin.skops.loader.container import FILE
from mlopskit.errors import StoreError
from mlopskit.modelpackage import Schema
from mlopskit.runtime.code import Code

SOURCE = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier


class Centre(TransformerMixin, BaseEstimator):
    def __init__(self, memory=3, n_jobs=2, how=None):
        self.memory = memory
        self.n_jobs = n_jobs
        self.how = how

    def fit(self, X, y=None):
        self.mean_ = np.asarray(X, dtype=float).mean(axis=0)
        self.parts_ = [Part(self.mean_), {"names": ["a", "b"]}, (1, 2.5, None)]
        return self

    def transform(self, X):
        return (np.asarray(X, dtype=float) - self.parts_[0].mean) * self.memory * self.n_jobs


class Part:
    def __init__(self, mean):
        self.mean = mean


class Nearest(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.centres_ = np.stack([X[y == one].mean(axis=0) for one in self.classes_])
        return self

    def predict(self, X):
        far = ((X[:, None, :] - self.centres_) ** 2).sum(axis=2)
        return self.classes_[far.argmin(axis=1)]


class Search(GridSearchCV):
    pass


class Tree(DecisionTreeClassifier):
    pass


class Odd(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.sham_ = Sham()
        return self

    def transform(self, X):
        return X


class Sham:
    def __reduce__(self):
        return Sham, ()


def double(X, by=2):
    return np.asarray(X, dtype=float) * by


def words(text):
    return text.split("-")
"""
NAME = "own_estimators"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A module of a project, imported."""
    folder = tmp_path_factory.mktemp("project")
    (folder / f"{NAME}.py").write_text(SOURCE)
    sys.path.insert(0, str(folder))
    yield importlib.import_module(NAME)
    sys.path.remove(str(folder))
    del sys.modules[NAME]


MODELS = {
    "transformer": lambda own: make_pipeline(own.Centre(), LogisticRegression()),
    "classifier": lambda own: own.Nearest(),
    "function": lambda own: make_pipeline(FunctionTransformer(own.double), LogisticRegression()),
    "function with arguments": lambda own: make_pipeline(
        FunctionTransformer(own.double, kw_args={"by": 0.25}), LogisticRegression()
    ),
    "a class as a parameter": lambda own: make_pipeline(own.Centre(how=own.Part), LogisticRegression()),
    "columns": lambda own: make_pipeline(
        ColumnTransformer([("own", own.Centre(), [0, 1]), ("rest", StandardScaler(), [2, 3])]), LogisticRegression()
    ),
    "search": lambda own: GridSearchCV(
        make_pipeline(own.Centre(), LogisticRegression()), {"centre__memory": [1, 3]}, cv=2, scoring="accuracy"
    ),
    "own search": lambda own: own.Search(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
    "own tree": lambda own: own.Tree(max_depth=3, random_state=0),
    "bagging": lambda own: BaggingClassifier(own.Nearest(), n_estimators=3, random_state=0),
}


def stored(model, spec, folder):
    """Store a model, and return what its loader is given."""
    schema = Schema(inputs=spec["schema"]["inputs"], outputs=spec["schema"]["outputs"])
    folder.mkdir(exist_ok=True)
    entry = SkopsFormat().save(model, schema, spec["frame"], folder)
    assert SkopsFormat().differences(model, schema, entry, folder) == []
    files = {path: (folder / path).read_bytes() for path in entry.files}
    return {FILE: files.pop(FILE)}, {**spec, "code": Code(files)}, entry


@pytest.mark.parametrize("name", MODELS)
def test_a_model_with_code_of_its_own_answers_as_the_fitted_one(name, own, data, spec, tmp_path):
    features, labels = data
    model = MODELS[name](own).fit(features, labels)
    files, told, entry = stored(model, spec(model), tmp_path / "stored")
    assert entry.files == (FILE, f"code/{NAME}.py")
    scorer = load(files, told)
    columns = {f"x{number}": features[:, number] for number in range(features.shape[1])}
    assert scorer.score(columns)["prediction"].tolist() == model.predict(features).tolist()
    if hasattr(model, "predict_proba"):
        assert np.array_equal(scorer.score(columns)["probability.1"], model.predict_proba(features)[:, 1])


def test_words_are_cut_by_a_function_of_its_own(own, spec, tmp_path):
    texts = ["good-day", "bad-night"] * 20
    model = make_pipeline(
        TfidfVectorizer(tokenizer=own.words, token_pattern=None, lowercase=False), LogisticRegression()
    ).fit(texts, [1, 0] * 20)
    files, told, _ = stored(model, spec(model, frame="column", count=1), tmp_path / "stored")
    assert load(files, told).score({"x0": texts})["prediction"] == [1, 0] * 20


def test_its_own_settings_are_kept_and_those_of_scikit_learn_are_not(own, data, spec, tmp_path):
    model = make_pipeline(own.Centre(memory=5, n_jobs=7), LogisticRegression(verbose=0)).fit(*data)
    files, told, _ = stored(model, spec(model), tmp_path / "stored")
    loaded = load(files, told)._estimator
    assert (loaded[0].memory, loaded[0].n_jobs) == (5, 7)
    search = own.Search(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, n_jobs=1).fit(*data)
    files, told, _ = stored(search, spec(search), tmp_path / "search")
    loaded = load(files, told)._estimator
    assert (loaded.n_jobs, loaded.cv_results_) == (None, None)


def test_loaded_classes_are_of_the_package_and_not_of_this_process(own, data, spec, tmp_path):
    model = make_pipeline(own.Centre(), LogisticRegression()).fit(*data)
    files, told, _ = stored(model, spec(model), tmp_path / "stored")
    kind = type(load(files, told)._estimator[0])
    assert kind is not own.Centre
    assert kind.__module__ == told["code"].private(NAME)


def test_the_same_code_and_model_give_the_same_bytes_anywhere(child, tmp_path):
    script = f"""
import hashlib, json, pathlib, sys
sys.dont_write_bytecode = True
folder = pathlib.Path("at", sys.argv[1]).absolute()
folder.mkdir(parents=True)
(folder / "{NAME}.py").write_text({SOURCE!r})
sys.path.insert(0, str(folder))
import numpy as np, {NAME} as own
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from mlopskit.builtin.skops.format import SkopsFormat
from mlopskit.modelpackage import Schema
rows = np.arange(40.0).reshape(20, 2) % 7
model = make_pipeline(own.Centre(), LogisticRegression()).fit(rows, np.arange(20) % 2)
into = folder / "stored"
into.mkdir()
SkopsFormat().save(model, Schema(inputs={{}}, outputs={{}}), "arrays", into)
found = {{file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in into.rglob("*") if file.is_file()}}
print(json.dumps(found))
"""
    first, second = (child(script, name) for name in ("one", "two"))
    assert first == second
    assert set(first) == {FILE, f"{NAME}.py"}


# --- refused ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def reasons(tmp_path):
    """Return what is said of a model that cannot be stored; nothing of it is written."""

    def said(model):
        with pytest.raises(StoreError) as raised:
            SkopsFormat().save(model, Schema(inputs={}, outputs={}), "arrays", tmp_path)
        assert list(tmp_path.iterdir()) == []
        return " ".join(raised.value.culprits["reasons"])

    return said


def test_a_class_that_only_calls_itself_one_of_scikit_learn_is_refused(data, reasons):
    sham = type("StandardScaler", (StandardScaler,), {"__module__": StandardScaler.__module__})
    assert "only calls itself sklearn.preprocessing._data.StandardScaler" in reasons(
        make_pipeline(sham(), LogisticRegression()).fit(*data)
    )


def test_an_object_that_is_made_by_a_call_is_refused(own, data, reasons):
    model = make_pipeline(own.Odd(), LogisticRegression()).fit(*data)
    assert f"model.steps[0][1].sham_ is {NAME}.Sham, which is not on the list" in reasons(model)


def test_arguments_of_numpys_functions_are_refused_as_before(data, reasons):
    model = make_pipeline(FunctionTransformer(np.log1p, kw_args={"dtype": float}), LogisticRegression()).fit(*data)
    assert "kw_args cannot be stored" in reasons(model)


def test_code_that_lacks_something_is_refused_and_nothing_is_written(own, data, tmp_path, monkeypatch):
    model = make_pipeline(own.Centre(), LogisticRegression()).fit(*data)
    (tmp_path / "elsewhere.py").write_text("import mlopskit")
    monkeypatch.setattr(own.__spec__, "origin", str(tmp_path / "elsewhere.py"))
    (tmp_path / "into").mkdir()
    with pytest.raises(StoreError, match=rf"code/{NAME}\.py imports mlopskit, which is not there at a target"):
        SkopsFormat().save(model, Schema(inputs={}, outputs={}), "arrays", tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


# --- hostile ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def archive(own, data, forge, tmp_path, spec):
    model = make_pipeline(own.Centre(), LogisticRegression()).fit(*data)
    files, told, _ = stored(model, spec(model), tmp_path / "stored")
    return forge(files[FILE]), told


def renamed(forged, module, name):
    """Return the archive with another name for the transformer's class."""
    text = json.dumps(forged.root)
    before = f'"__class__": "Centre", "__module__": "{NAME}"'
    assert before in text
    forged.root = json.loads(text.replace(before, f'"__class__": "{name}", "__module__": "{module}"'))
    return {FILE: forged.data()}


@pytest.mark.parametrize(
    ("module", "name", "words"),
    [
        ("os", "system", "is not on the list"),
        ("builtins", "eval", "is not on the list"),
        ("own_absent", "Centre", "is not on the list"),
        (f"{NAME}.os", "Centre", "is not on the list"),
        (NAME, "np", "defines no np"),
        (NAME, "BaseEstimator", "defines no BaseEstimator"),
        (NAME, "double", "is no type"),
        (NAME, "Absent", "defines no Absent"),
        (NAME, "__builtins__", "defines no __builtins__"),
    ],
)
def test_an_archive_gets_no_more_of_the_code_than_it_defines(module, name, words, archive):
    forged, told = archive
    with pytest.raises(ValueError, match=words):
        load(renamed(forged, module, name), told)


def test_without_code_the_same_archive_is_refused(archive):
    forged, told = archive
    with pytest.raises(ValueError, match="is not on the list of types that may be loaded"):
        load({FILE: forged.data()}, {**told, "code": None})


def test_code_under_the_name_of_a_known_type_is_not_taken_for_it(data, spec, tmp_path):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(*data)
    files, told, _ = stored(model, spec(model), tmp_path / "stored")
    module = StandardScaler.__module__.replace(".", "/")
    sham = Code({f"code/{module}.py": b"class StandardScaler: pass\nraise RuntimeError('ran')"})
    assert type(load(files, {**told, "code": sham})._estimator[0]) is StandardScaler


def test_code_under_the_name_of_a_known_function_is_no_class(archive):
    forged, told = archive
    code = Code({**told["code"]._files, "code/numpy.py": b"class log1p: pass"})
    with pytest.raises(ValueError, match=r"numpy\.log1p. is not on the list of types"):
        load(renamed(forged, "numpy", "log1p"), {**told, "code": code})


def test_arrays_of_an_object_of_its_own_are_checked_like_others(archive):
    forged, told = archive
    node = forged.root["content"]["content"]["steps"]["content"][0]["content"][1]["content"]["content"]["mean_"]
    forged.members[node["file"]] = b"no array"
    with pytest.raises(ValueError, match="is not an array"):
        load({FILE: forged.data()}, told)


def test_the_table_of_a_tree_of_its_own_is_checked_like_others(own, data, forge, spec, tmp_path):
    model = own.Tree(max_depth=3, random_state=0).fit(*data)
    files, told, _ = stored(model, spec(model), tmp_path / "stored")
    forged = forge(files[FILE])
    forged.set(
        "n_features_in_", {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "1"}
    )
    with pytest.raises(ValueError, match="Tree"):
        load({FILE: forged.data()}, told)
