"""Settings of one process do not travel."""

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from mlopskit.builtin.skops.archive import canonical
from mlopskit.builtin.skops.loader.estimator import load_estimator


def test_parameters_of_the_process_are_set_to_nothing(
    data, forge, json_node, tmp_path, monkeypatch, fitted, archives, spec, load
):
    monkeypatch.chdir(tmp_path)
    forged = forge(archives["forest"])
    forged.set("n_jobs", json_node(5000))
    forged.set("verbose", json_node(10))
    forged.set("memory", json_node("cache"))
    loaded = load_estimator(forged.data())
    assert (loaded.n_jobs, loaded.verbose, loaded.memory) == (None, 0, None)
    scorer = load(forged.data(), spec(fitted["forest"]))
    columns = {f"x{number}": data[0][:, number].tolist() for number in range(4)}
    assert scorer.score(columns)["prediction"] == fitted["forest"].predict(data[0]).tolist()
    assert list(tmp_path.iterdir()) == []


def test_threads_stay_one_where_a_model_asks_for_many(data, forge, json_node, archives, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor
    from multiprocessing.pool import ThreadPool

    started = []
    for pool in (ThreadPool, ThreadPoolExecutor):
        monkeypatch.setattr(pool, "__init__", lambda *_args, **_options: started.append(1))
    forged = forge(archives["forest"])
    forged.set("n_jobs", json_node(5000))
    load_estimator(forged.data()).predict(data[0])
    assert started == []


def test_text_vectorizers_do_not_look_at_their_stop_words_again(recwarn):
    texts = ["the good film", "the bad film"] * 3
    model = make_pipeline(TfidfVectorizer(stop_words=["the", "isn't"]), MultinomialNB())
    with pytest.warns(UserWarning, match="stop_words"):
        model.fit(texts, ["+", "-"] * 3)
    recwarn.clear()
    load_estimator(canonical(model)).predict(texts)
    assert [str(warning.message) for warning in recwarn] == []
