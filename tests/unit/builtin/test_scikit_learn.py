from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import threadpoolctl
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from mlopskit.builtin.scikit_learn import ScikitLearnTrainer
from mlopskit.data import Dataset
from mlopskit.errors import ConfigError, DataError, TrainingError

NUMBERS = Dataset(columns={"a": [0, 1, 2, 3], "b": [1.0, None, 1.0, 0.0], "y": [0, 0, 1, 1]}, target="y")
TEXTS = Dataset(columns={"text": ["good", "fine good", "bad", "sad bad"], "y": ["p", "p", "n", "n"]}, target="y")
CLEAN = Dataset(columns={"a": [0, 1, 2, 3], "y": [0, 0, 1, 1]}, target="y")


def line(c: float = 1.0, *, deep: bool = False) -> LogisticRegression:
    return LogisticRegression(C=c, fit_intercept=deep)


def trained(estimator, data=CLEAN, **options):
    return ScikitLearnTrainer(estimator=estimator, **options).train(data)


# --- what is trained ------------------------------------------------------------------------------------------------


def test_a_copy_of_an_estimator_is_fitted():
    estimator = LogisticRegression()
    model = trained(estimator, parameters={"C": 3.0})
    assert (model.C, model.predict([[0], [3]]).tolist()) == (3.0, [0, 1])
    assert not hasattr(estimator, "coef_")
    assert estimator.C == 1.0


def test_a_function_and_a_class_return_estimators():
    model = trained(line, parameters={"c": 2.0, "deep": True})
    assert (model.C, model.fit_intercept) == (2.0, True)
    assert trained(LogisticRegression, parameters={"C": 2.0}).C == 2.0
    assert trained(lambda **options: Ridge(alpha=options["alpha"]), parameters={"alpha": 2.0}).alpha == 2.0


def test_parameters_of_a_step_are_set():
    model = trained(
        make_pipeline(TfidfVectorizer(), LogisticRegression()), TEXTS, parameters={"tfidfvectorizer__min_df": 2}
    )
    assert model[0].get_feature_names_out().tolist() == ["bad", "good"]
    assert model.predict(["good bad good"]).tolist() == ["p"]


def test_labels_keep_their_types():
    assert trained(make_pipeline(TfidfVectorizer(), LogisticRegression()), TEXTS).classes_.tolist() == ["n", "p"]
    flags = Dataset(columns={"a": [0, 1], "y": [False, True]}, target="y")
    assert trained(LogisticRegression(), flags).classes_.tolist() == [False, True]


def test_several_targets_are_fitted_together():
    columns = {"a": [0, 1, 2, 3], "p": [0, 0, 1, 1], "q": ["x", "y", "x", "y"]}
    rows = Dataset(columns={**columns, "q": [1, 0, 1, 0]}, target=["q", "p"])
    model = trained(RandomForestClassifier(), rows, parameters={"n_estimators": 5, "bootstrap": False})
    assert model.predict([[0], [3]]).tolist() == [[1, 0], [0, 1]]
    texts = Dataset(columns={**columns, "p": ["l", "l", "r", "r"]}, target=["p", "q"])
    assert trained(RandomForestClassifier(), texts).classes_[1].tolist() == ["x", "y"]
    with pytest.raises(DataError, match="several types: 'p' of numbers, 'q' of strings"):
        trained(RandomForestClassifier(), Dataset(columns=columns, target=["p", "q"]))
    with pytest.raises(DataError, match="have the same 'q': 1"):
        trained(RandomForestClassifier(), Dataset(columns={**columns, "q": [1] * 4}, target=["p", "q"]))
    with pytest.raises(TrainingError, match="LogisticRegression could not be fitted") as caught:
        trained(LogisticRegression(), rows)
    assert "goes into one of sklearn.multioutput" in caught.value.remedy
    with pytest.raises(DataError, match="Row 1 has no 'q'"):
        trained(Ridge(), Dataset(columns={**columns, "q": [1, None, 2, 3]}, target=["p", "q"]))


def test_seeds_are_given_where_there_are_none():
    forest = RandomForestClassifier(n_estimators=3)
    assert trained(forest, NUMBERS).random_state == 0
    assert trained(make_pipeline(forest), NUMBERS, seed=7)[0].random_state == 7
    assert trained(RandomForestClassifier(3, random_state=5), NUMBERS).random_state == 5
    assert trained(forest, NUMBERS, seed=None).random_state is None
    assert forest.random_state is None


class Watching(ClassifierMixin, BaseEstimator):
    def fit(self, _, y):
        self.classes_ = np.unique(y)
        self.threads_ = {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}
        return self


def test_threads_are_limited_while_fitting():
    before = threadpoolctl.threadpool_info()
    assert trained(Watching()).threads_ == {1}
    assert trained(Watching(), threads=2).threads_ <= {1, 2}
    assert threadpoolctl.threadpool_info() == before


# --- what goes wrong ------------------------------------------------------------------------------------------------


class Doubting(ClassifierMixin, BaseEstimator):
    def fit(self, _, y):
        self.classes_ = np.unique(y)
        for _ in range(3):
            warnings.warn("it did not converge", UserWarning, stacklevel=1)
        return self


def test_warnings_are_logged_once_and_never_raised(caplog):
    with caplog.at_level(logging.WARNING, logger="mlopskit"), warnings.catch_warnings():
        warnings.simplefilter("error")
        trained(Doubting())
        trained(
            LogisticRegression(max_iter=1, tol=1e-12),
            Dataset(columns={"a": [1.0, 5.0, 2.0], "y": [0, 1, 1]}, target="y"),
        )
    logged = [record.getMessage() for record in caplog.records]
    assert logged[0] == "UserWarning: it did not converge"
    assert logged[1].startswith("ConvergenceWarning: ")
    assert len(logged) == 2


def test_a_failed_fit_is_a_training_error_with_its_cause():
    with pytest.raises(
        TrainingError, match=r"LogisticRegression could not be fitted to 4 rows: ValueError: .*NaN"
    ) as caught:
        trained(LogisticRegression(), NUMBERS)
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"a": [1, 2], "y": ["p", "p"]}, "All 2 training rows have the same 'y': 'p'"),
        ({"a": [1, 2], "y": ["p", None]}, "Row 1 has no 'y'"),
        ({"a": [1, 2], "y": ["p", 1]}, "'y' has cells of several types"),
        ({"a": [], "y": []}, "no rows to train on"),
        ({"y": [1, 2]}, "no input columns"),
    ],
)
def test_data_that_teach_nothing_are_refused(columns, words):
    with pytest.raises(DataError, match=words):
        trained(DummyClassifier(), Dataset(columns=columns, target="y"))


def test_a_regression_may_have_equal_targets():
    assert trained(Ridge(), Dataset(columns={"a": [1, 2], "y": [3.0, 3.0]}, target="y")).predict(
        [[5]]
    ) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("estimator", "parameter", "nearest"),
    [
        (LogisticRegression(), "max_itr", "max_iter"),
        (make_pipeline(TfidfVectorizer()), "tfidfvectorizer__min_fd", "tfidfvectorizer__min_df"),
        (line, "dep", "deep"),
        (LogisticRegression, "fit_intercpt", "fit_intercept"),
    ],
)
def test_an_unknown_parameter_is_named_with_the_nearest(estimator, parameter, nearest):
    with pytest.raises(ConfigError, match=f"no parameter '{parameter}'. Did you mean '{nearest}'"):
        trained(estimator, parameters={parameter: 1})


def broken():
    raise KeyError("C")


def needing(c):
    return LogisticRegression(C=c)


class Changing(BaseEstimator):
    def __init__(self, a=()):
        self.a = list(a)

    def fit(self, *_):
        return self


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (3, "3 is neither an estimator nor a function"),
        (broken, "broken failed with the parameters {}: KeyError: 'C'"),
        (needing, "needing failed with the parameters {}: TypeError"),
        (lambda: 3, "returned int, expected an estimator"),
        (lambda: LogisticRegression, "returned type|returned ABCMeta"),
        (lambda: None, "returned NoneType"),
        (Changing(), "Changing cannot be copied"),
    ],
)
def test_what_gives_no_estimator_is_refused(estimator, words):
    with pytest.raises(ConfigError, match=words) as caught:
        trained(estimator)
    assert caught.value.exit_code == 2


# --- import paths ---------------------------------------------------------------------------------------------------

MODULE = (
    "from sklearn.linear_model import LogisticRegression\ndef pipeline(C=1.0):\n    return LogisticRegression(C={C})\n"
)


@pytest.fixture
def project(tmp_path, request):
    """A folder with a package that no other test has, forgotten afterwards."""
    name = f"project_{abs(hash(request.node.name))}"
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "model.py").write_text(MODULE.replace("{C}", "C"))
    yield package
    for module in [module for module in sys.modules if module.split(".")[0] in (name, "helper_of_tests")]:
        del sys.modules[module]


def test_an_import_path_is_imported_from_the_root_alone(project, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = list(sys.path)
    model = trained(f"{project.name}.model:pipeline", root=str(project.parent), parameters={"C": 2.0})
    assert model.C == 2.0
    assert sys.path == path
    assert not list(project.rglob("*.pyc"))
    assert not sys.dont_write_bytecode


def test_the_import_path_may_name_a_class_an_estimator_or_an_attribute_of_one():
    assert trained("sklearn.linear_model:LogisticRegression", parameters={"C": 2.0}).C == 2.0
    assert trained("sklearn:linear_model.LogisticRegression").C == 1.0


def test_an_estimator_in_a_module_is_never_fitted_itself(project):
    (project / "model.py").write_text(
        "from sklearn.linear_model import LogisticRegression\nmodel = LogisticRegression()\n"
    )
    trained(f"{project.name}.model:model", root=project.parent)
    assert not hasattr(sys.modules[f"{project.name}.model"].model, "coef_")


def test_code_is_read_afresh_at_each_training(project):
    trainer = ScikitLearnTrainer(estimator=f"{project.name}.model:pipeline", root=project.parent)
    (project / "model.py").write_text("import helper_of_tests\n" + MODULE.replace("{C}", "helper_of_tests.C"))
    for text in ("2.0", "3.0"):
        (project.parent / "helper_of_tests.py").write_text(f"C = {text}\n")
        found = trainer.unfitted().C
        assert found == float(text)


def test_a_module_made_since_the_last_training_is_found(project):
    ScikitLearnTrainer(estimator=f"{project.name}.model:pipeline", root=project.parent).unfitted()
    before = project.stat()
    (project / "newer.py").write_text(MODULE.replace("{C}", "6.0"))
    os.utime(project, ns=(before.st_atime_ns, before.st_mtime_ns))  # as on a file system with a coarse clock
    assert ScikitLearnTrainer(estimator=f"{project.name}.newer:pipeline", root=project.parent).unfitted().C == 6.0


def test_projects_of_the_same_layout_do_not_mix(project, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / project.name).mkdir()
    (other / project.name / "model.py").write_text(MODULE.replace("{C}", "5.0"))
    path = f"{project.name}.model:pipeline"
    assert ScikitLearnTrainer(estimator=path, root=project.parent).unfitted().C == 1.0
    assert ScikitLearnTrainer(estimator=path, root=other).unfitted().C == 5.0
    assert ScikitLearnTrainer(estimator=path, root=project.parent).unfitted().C == 1.0


def test_modules_that_the_estimator_does_not_need_stay_as_they_are(project, monkeypatch):
    (project.parent / "helper_of_tests.py").write_text("C = 1.0\n")
    helper = object()
    monkeypatch.setitem(sys.modules, "helper_of_tests", helper)
    ScikitLearnTrainer(estimator=f"{project.name}.model:pipeline", root=project.parent).unfitted()
    assert sys.modules["helper_of_tests"] is helper


def test_what_python_needs_is_never_imported_afresh(project):
    before = dict(sys.modules)
    for name in ("threading", "__main__", "mlopskit"):
        (project.parent / f"{name}.py").write_text("raise SystemExit\n")
    ScikitLearnTrainer(estimator=f"{project.name}.model:pipeline", root=project.parent).unfitted()
    assert sys.modules["threading"] is threading
    assert sys.modules["__main__"] is before["__main__"]
    assert sys.modules["mlopskit"] is before["mlopskit"]


@pytest.mark.parametrize(
    "path", ["", ":", "model", "model:", ":pipeline", "a b:c", "model.py:pipeline ", "../model:pipeline"]
)
def test_what_is_no_import_path_is_refused(path):
    with pytest.raises(ConfigError, match="is no import path"):
        trained(path)


def test_a_missing_module_is_named_with_where_it_was_looked_for(project):
    with pytest.raises(ConfigError, match=f"no module '{project.name}.modle'.*looked for in") as caught:
        trained(f"{project.name}.modle:pipeline", root=project.parent)
    assert str(project.parent) in caught.value.remedy
    with pytest.raises(ConfigError, match="no module 'nowhere_at_all'"):
        trained("nowhere_at_all.model:pipeline", root=project.parent)


def test_a_missing_attribute_is_named_with_the_nearest(project):
    with pytest.raises(ConfigError, match=f"no 'pipelin' in '{project.name}.model'.*Did you mean 'pipeline'"):
        trained(f"{project.name}.model:pipelin", root=project.parent)
    with pytest.raises(ConfigError, match="Correct the name after the colon"):
        trained(f"{project.name}.model:zzz", root=project.parent)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nowhere_at_all", "needs the module 'nowhere_at_all', which is missing"),
        ("def pipeline(:", "cannot be imported: SyntaxError"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        ("raise SystemExit('stop')", "cannot be imported: SystemExit: stop"),
        ("import sys; sys.path.clear(); 1 / 0", "cannot be imported: ZeroDivisionError"),
    ],
)
def test_a_module_that_fails_is_named_with_its_error(project, monkeypatch, text, words):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (project / "model.py").write_text(text)
    with pytest.raises(ConfigError, match=words):
        trained(f"{project.name}.model:pipeline", root=project.parent)


@pytest.mark.slow
def test_the_same_data_give_the_same_model_in_every_process(tmp_path):
    code = (
        "import hashlib; from mlopskit.data import Dataset; from sklearn.linear_model import LogisticRegression;"
        "from mlopskit.builtin.scikit_learn import ScikitLearnTrainer;"
        "from sklearn.feature_extraction.text import TfidfVectorizer;"
        "from sklearn.pipeline import make_pipeline;"
        "texts = [f'word{n % 7} other{n % 11}' for n in range(500)];"
        "data = Dataset(columns={'t': texts, 'y': [n % 2 for n in range(500)]}, target='y');"
        "model = ScikitLearnTrainer(estimator=make_pipeline(TfidfVectorizer(), LogisticRegression())).train(data);"
        "print(hashlib.sha256(model[1].coef_.tobytes()).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed},
            cwd=tmp_path,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1


def test_a_trainer_is_its_options():
    assert ScikitLearnTrainer(estimator="a:b") == ScikitLearnTrainer(estimator="a:b", root=".")
    assert ScikitLearnTrainer(estimator="a:b") != ScikitLearnTrainer(estimator="a:b", seed=1)
