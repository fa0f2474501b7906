from __future__ import annotations

import re
from typing import Any

from mlopskit.evaluation import Estimate, Evaluation
from mlopskit.modelcard import model_card

EVIL = "a|b](javascript:alert(1)) <img src=x onerror=alert(1)>"


def card() -> str:
    columns = {"properties": {EVIL: {"type": ["string", "null"]}}, "required": [EVIL]}
    manifest = {
        "name": "mood",
        "task": "binary",
        "schema": {"inputs": columns, "outputs": columns},
        "models": [
            {"format": "skops", "files": ["model.skops"], "requires": ["scikit-learn==1", "numpy==2"]},
            {"format": "portable", "files": ["model.json"], "requires": []},
        ],
        "golden": {"tolerance": 1e-6},
        "provenance": {"refusals": {"onnx": [f"{EVIL} is not known.", "Nor is this."]}},
    }
    estimate = Estimate(metric="accuracy", value=1.0, lower=0.9, upper=1.0, n=26, method="x", slice=f"source={EVIL}")
    return model_card(manifest, Evaluation(dataset="d", rows=1234, estimates=(estimate,)))


def test_a_card_says_what_the_model_is_and_how_good() -> None:
    text = card()
    assert text.startswith("# mood\n\nA binary model")
    assert "## Measured on 1,234 test rows" in text
    assert "string or null" in text
    assert "| skops | model.skops | scikit-learn==1, numpy==2 |" in text
    assert "| portable | model.json | - |" in text
    assert "numbers within 1e-06 · max(scale, |b|)" in text
    assert "is not known. Nor is this. |" in text
    assert "| 1 | 0.9 | 1 | 26 |" in text


def test_a_card_from_hostile_names_holds_no_link_and_no_picture() -> None:
    from markdown_it import MarkdownIt

    rendered = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(card())
    tags = {tag.strip("/") for tag in re.findall(r"<(/?[a-z0-9]+)", rendered)}
    assert tags <= {
        "h1",
        "h2",
        "h3",
        "p",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "ul",
        "li",
        "code",
        "pre",
        "strong",
    }


def test_names_from_data_stay_text() -> None:
    assert "<img" not in card()
    assert "a\\|b" in card()
    rows = [line for line in card().splitlines() if "javascript" in line]
    assert len(rows) == 4


def test_of_very_many_figures_the_first_are_shown() -> None:
    columns = {"properties": {"x": {"type": "string"}}, "required": ["x"]}
    manifest = {"name": "m", "task": "t", "schema": {"inputs": columns, "outputs": columns}, "models": []}
    manifest["provenance"] = {"refusals": {}}
    manifest["golden"] = {"tolerance": 0.0}
    about: dict[str, Any] = {"value": 1.0, "lower": 0.9, "upper": 1.0, "n": 26, "method": "x"}
    estimates = tuple(Estimate(metric="recall", slice=f"source={at}", **about) for at in range(1234))
    text = model_card(manifest, Evaluation(dataset="d", rows=9, estimates=estimates))
    assert text.count("| recall |") == 200
    assert "… and 1,034 more in `evaluation.json`" in text
