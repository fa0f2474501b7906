from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier

from mlopskit.builtin.portable.loader import batches

MODELS = [
    RandomForestClassifier(7, random_state=0),
    GradientBoostingClassifier(n_estimators=5, random_state=0),
    HistGradientBoostingRegressor(max_iter=7),
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("numpy", [True, False])
def test_many_rows_are_answered_as_each_alone_to_the_last_bit(model, numpy, data, asked, monkeypatch):
    features, _, three, _ = data
    scorer = asked(model.fit(features, three), {f"x{n}": {"type": ["number", "null"]} for n in range(5)}).scorer
    if not numpy:
        monkeypatch.setattr(batches, "_numpy", lambda: None)
    random = np.random.default_rng(5)
    rows = random.normal(size=(3000, 5))  # more than are scored at a time
    gaps = rows.copy()
    if not isinstance(model, GradientBoostingClassifier):
        gaps[random.random(gaps.shape) < 0.2] = np.nan
    columns = {f"x{n}": [None if cell != cell else cell for cell in gaps[:, n].tolist()] for n in range(5)}  # noqa: PLR0124  # NaN
    together = scorer.score(columns)
    for place in range(0, 3000, 97):
        alone = scorer.score({name: [cells[place]] for name, cells in columns.items()})
        assert alone == {name: [cells[place]] for name, cells in together.items()}
    arrays = scorer.score({f"x{n}": gaps[:, n] for n in range(5)})
    assert arrays == together
