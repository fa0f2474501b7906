"""What a row takes in C, beside scikit-learn's own call for it; `make prove` writes it down."""

from __future__ import annotations

import time
from random import Random

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from .conftest import STRICT, Program, needs, run

pytestmark = [pytest.mark.live, pytest.mark.slow]
CLOCK = """
#include <stdio.h>
#include <time.h>
#include "model.h"

int main(void)
{
    static model_work work;
    static const model_row rows[] = {
%s};
    double best = 1e9;
    for (int k = 0; k < 20; k++) {
        model_answer answer;
        int wrong = 0;
        clock_t start = clock();
        for (int i = 0; i < 2000; i++)
            wrong |= model_predict(&rows[i %% 200], &answer, &work);
        double took = (double)(clock() - start) / CLOCKS_PER_SEC / 2000 * 1e6;
        if (wrong)
            return 1;
        best = took < best ? took : best;
    }
    printf("%%.3f\\n", best);
    return 0;
}
"""


def made():
    """Return models, each fitted, with their inputs and 200 rows."""
    random, numbers = Random(0), np.random.default_rng(0)
    words = ["".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=random.randrange(3, 10))) for _ in range(9000)]
    texts = [" ".join(words[min(int(n), 8999)] for n in numbers.zipf(1.25, size=25)) for _ in range(6000)]
    x = np.round(numbers.normal(size=(4000, 20)), 3)
    y = (x[:, 0] + x[:, 1] ** 2 > 1).astype(int)
    columns = {f"x{n}": {"type": "number"} for n in range(20)}
    text = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())
    yield "a text of 25 words", text.fit(texts, np.arange(6000) % 2), {"text": {"type": "string"}}, texts[:200]
    yield "a forest of 100, depth 10", RandomForestClassifier(100, max_depth=10).fit(x, y), columns, x[:200]
    yield "histogram boosting of 100", HistGradientBoostingClassifier().fit(x, y), columns, x[:200]


def test_one_row_is_measured_beside_scikit_learn(tmp_path_factory, asked, record_property):
    needs("gcc")
    for what, model, inputs, rows in made():
        program = Program(tmp_path_factory.mktemp("speed"))
        program.model(asked(model, inputs).document, "model")
        cells = [
            f'{{"{row}", {len(row)}}}' if isinstance(row, str) else ", ".join(map(repr, row.tolist())) for row in rows
        ]
        program.file("clock.c", CLOCK % ",\n".join(f"{{{row}}}" for row in cells))
        compiled = program.compiled(*STRICT, "-O2")
        ours, own = float(run(compiled)), min(asks(model, rows[n : n + 1]) for n in range(20))
        record_property(f"figure: one row in C, {what}", f"{ours:.2f} µs; scikit-learn {own / ours:,.0f} x")
        sizes = [path.stat().st_size / 1e6 for path in (program.folder / "model.c", compiled)]
        record_property(f"figure: size in C, {what}", f"{sizes[0]:.1f} MB of text, {sizes[1]:.1f} MB compiled")


def asks(model, rows):
    start = time.process_time()
    model.predict_proba(rows)
    return (time.process_time() - start) * 1e6
