"""A model that does not end a row is ended with its process, and the next request is answered."""

import json
from pathlib import Path

import pytest

from mlopskit.data import Dataset
from mlopskit.packaging import write
from mlopskit.recipe import GoldenSpec, Recipe

ENDLESS = "a" * 39 + "!"  # 40 characters, through which this pattern has 2^39 ways
PATTERN = r"(?:a+)+$"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A real package of a text model with a bad pattern, and with settings that ask for many threads."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    texts = ["a", "aa", "b a", "b aa"] * 4
    data = Dataset(columns={"text": texts, "label": ["one", "two"] * 8}, target="label")
    model = make_pipeline(CountVectorizer(token_pattern=PATTERN), OneVsRestClassifier(LogisticRegression()))
    model.fit(texts, data.labels).set_params(onevsrestclassifier__n_jobs=64, onevsrestclassifier__verbose=10)
    folder = tmp_path_factory.mktemp("stuck") / "package"
    folder.mkdir()
    recipe = Recipe(
        name="mood",
        model=model,
        schema=data.input_schema(),
        test=data,
        formats=["skops"],
        golden=GoldenSpec(rows=4),
    )
    write(recipe, folder)
    return folder


def threads_of(pid):
    return len([*Path(f"/proc/{pid}/task").iterdir()])


def test_a_row_without_end_is_cut_and_the_next_is_answered(package, start, tools, tmp_path):
    place = tools.Shop(tmp_path, "mood")
    digest = place.changed(package)
    place.move(digest)
    with start(f"{place.folder}@production", "--answer", "1", log=tmp_path / "log") as server:
        (worker,) = tools.children(server.process.pid)
        before = threads_of(worker)
        status, _, said = server.ask("/predict", {"rows": [{"text": "b aa"}, {"text": "a"}] * 50})
        assert (status, said["digest"]) == (200, digest)
        assert threads_of(worker) == before
        client = tools.Client(server.port)
        with pytest.raises(ConnectionError):
            client.ask(json.dumps({"row": {"text": ENDLESS}}).encode())
        status, body = client.ask(json.dumps({"row": {"text": "b aa"}}).encode())
        client.close()
        assert (status, json.loads(body)["digest"]) == (200, digest)
        assert worker not in tools.children(server.process.pid)
    assert "no longer answers, and is killed" in (tmp_path / "log").read_text()
