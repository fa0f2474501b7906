from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import sklearn
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import OneClassSVM

from mlopskit.builtin.portable import format as portable
from mlopskit.builtin.portable.format import PREDICTORS, TRANSFORMERS, PortableFormat
from mlopskit.builtin.portable.refused import REASONS
from mlopskit.builtin.portable.schema import json_schema
from mlopskit.builtin.portable.writing import PRIVATE, NoTablesError
from mlopskit.errors import StoreError
from mlopskit.modelpackage import Schema

DOCS = Path(__file__).parents[4] / "docs" / "reference"
PAGE = (DOCS / "portable-format.md").read_text("utf-8")


class Own(LinearRegression):
    pass


@pytest.mark.parametrize("model", [OneClassSVM(), Own()], ids=repr)
def test_what_has_no_tables_is_refused_by_name(model, data, asked, numbers):
    features, *_, target = data
    with pytest.raises(NoTablesError, match=rf"{type(model).__name__} has no portable form"):
        asked(model.fit(features, target), numbers(features)[0])


def test_what_is_known_to_have_no_tables_is_refused_with_the_reason(data, asked, numbers):
    features, *_, target = data
    model = make_pipeline(KMeans(3, n_init=1), LinearRegression()).fit(features, target)
    with pytest.raises(NoTablesError, match="KMeans has no portable form: it measures distances that are rounded"):
        asked(model, numbers(features)[0])
    assert not REASONS.keys() & (TRANSFORMERS.keys() | PREDICTORS.keys())


def test_a_refusal_is_an_error_with_its_reasons(data, tmp_path):
    schema = Schema(inputs={"properties": {}, "required": []}, outputs={"properties": {}, "required": []})
    with pytest.raises(StoreError, match="has no portable form") as caught:
        PortableFormat().save(OneClassSVM(), schema, "arrays", tmp_path)
    assert caught.value.culprits["reasons"] == ["OneClassSVM has no portable form."]
    assert not [*tmp_path.iterdir()]


def test_tables_that_are_not_finite_are_refused(data, asked, numbers):
    features, *_, target = data
    model = LinearRegression().fit(features, target)
    model.coef_[1] = float("inf")
    with pytest.raises(NoTablesError, match="not finite"):
        asked(model, numbers(features)[0])


def test_another_release_of_scikit_learn_is_refused(data, asked, numbers, monkeypatch):
    features, *_, target = data
    model = LinearRegression().fit(features, target)
    monkeypatch.setattr(portable, "KNOWN", ("1.8",))
    with pytest.raises(NoTablesError, match=f"scikit-learn {sklearn.__version__} is not one of those read: 1.8"):
        asked(model, numbers(features)[0])


def test_a_search_is_its_best_estimator(data, asked, numbers):
    features, *_, target = data
    inputs, rows = numbers(features)
    model = GridSearchCV(Ridge(), {"alpha": [0.1, 1]}).fit(features, target)
    assert asked(model, inputs).differences(rows) < 1e-12


def test_the_page_lists_what_is_covered_and_what_is_private():
    for name, (owners, _) in PRIVATE.items():
        assert f"| `{name}` | {owners} |" in PAGE
    listed = PAGE.split("Transformers: ")[1]
    transformers, predictors = listed.split("Predictors: ")
    assert transformers.split(".")[0].replace("`", "").split(", ") == sorted(TRANSFORMERS)
    assert predictors.split(".")[0].replace("`", "").split(", ") == sorted(PREDICTORS)


def test_the_schema_of_the_docs_is_that_of_the_steps_and_the_page_describes_each():
    schema = json.loads((DOCS / "portable-format.schema.json").read_text("utf-8"))
    assert schema == json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for step in schema["properties"]["steps"]["items"]["oneOf"]:
        assert f"`{step['properties']['op']['const']}`" in PAGE
        for field in step["properties"].keys() - {"op", "from"}:
            assert f"`{field}`" in PAGE, step


def test_a_document_is_of_its_schema(data, asked, numbers):
    features, two, *_ = data
    document = asked(LogisticRegression().fit(features, two), numbers(features)[0]).document
    validator = jsonschema.Draft202012Validator(json_schema())
    assert validator.is_valid(document)
    document["steps"][0]["op"] = "unknown"
    assert not validator.is_valid(document)
