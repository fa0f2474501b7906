"""Columns that alone say the target: most often it was written into them, and is not known when the model is asked."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mlopskit.data import Dataset
from mlopskit.datareport import DataFinding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A column alone is suspect if it leaves at most this share of the errors of always answering the most frequent class.
_LEFT = 0.02
_AREA = 0.998  # a good measurement may reach 0.99
_CORRELATION = 0.995
# With fewer test rows, or rows that are not of the most frequent class, chance may do it.
_FEWEST, _FEWEST_OTHERS = 50, 20
_MOST_VALUES = 1000
_BINS = 1000
# Of all columns together: of larger data a sample of the rows is looked at.
_MOST_CELLS = 2_000_000
_TWO = 2
# An integer target with more values than this is a quantity, not a class.
_MOST_CLASSES = 20
_PRESENT = ("present",)


def target_like(train: Dataset, test: Dataset, /) -> Iterator[DataFinding]:
    """Yield the columns of which each alone predicts a target of the test rows, learned from the training rows.

    Of classes: the most frequent class of each value (of numbers: of each thousandth of the training rows) leaves at
    most 2 % of the errors of always answering the most frequent one, or, of two classes, the area under the ROC curve
    is at least 0.998. Of numbers: Spearman's rank correlation is at least 0.995. A single column is what the model
    learns from, and is not looked at.
    """
    names = train.inputs
    if not names[1:] or len(test) < _FEWEST:
        return
    share = _MOST_CELLS / ((len(train) + len(test)) * len(names))
    learned, judged = _sampled(train, share).columns, _sampled(test, share).columns
    for target in train.targets:
        labels = learned[target], judged[target]
        for name in names:
            said = _said(learned[name], judged[name], *labels)
            if said:
                yield DataFinding(
                    check="target-like",
                    severity="warn",
                    count=1,
                    reason=f"{name!r} alone predicts {target!r}: {said}",
                    remedy="See that it is known before the target is; if not, take it out of the data.",
                )


def are_classes(labels: Sequence[Any], /) -> bool:
    """Say whether the labels are classes: no fractions, nor integers of more than 20 values."""
    kinds = {type(label) for label in labels}
    return float not in kinds and (int not in kinds or len(set(labels)) <= _MOST_CLASSES)


def _sampled(data: Dataset, share: float) -> Dataset:
    """Return a share of the rows, drawn with a fixed seed: every n-th one would lie if the rows come in turns."""
    if share >= 1:
        return data
    return data.take(sorted(random.Random(0).sample(range(len(data)), int(len(data) * share))))  # noqa: S311  # no secret


def _said(learned: Sequence[Any], judged: Sequence[Any], labels: Sequence[Any], truth: Sequence[Any]) -> str:
    """Return how well a column predicts the truth, empty if not suspiciously well."""
    if not are_classes(labels):
        return _by_rank(judged, truth) if _are_numbers(judged) else ""
    return _by_area(judged, truth) or _by_vote(_keys(learned, judged), labels, truth)


def _by_rank(cells: Sequence[Any], truth: Sequence[Any]) -> str:
    import numpy as np
    from scipy.stats import rankdata

    known = [at for at, cell in enumerate(cells) if cell is not None]
    ranks = [rankdata([column[at] for at in known]) for column in (cells, truth)] if len(known) >= _FEWEST else []
    if not ranks or any(one.std() == 0 for one in ranks):
        return ""
    correlation = float(np.corrcoef(*ranks)[0, 1])
    return f"their rank correlation is {correlation:.4f}" if abs(correlation) >= _CORRELATION else ""


def _by_area(cells: Sequence[Any], truth: Sequence[Any]) -> str:
    """Say so if numbers alone put two classes in order."""
    from scipy.stats import rankdata

    classes = Counter(truth)
    if len(classes) != _TWO or min(classes.values()) < _FEWEST_OTHERS or None in cells or not _are_numbers(cells):
        return ""
    one = next(iter(classes))
    ranks = rankdata(cells)
    positives = classes[one]
    above = sum(rank for rank, label in zip(ranks, truth, strict=True) if label == one)
    area = (above - positives * (positives + 1) / 2) / (positives * (len(truth) - positives))
    area = max(area, 1 - area)
    return f"the area under its ROC curve is {area:.4f}" if area >= _AREA else ""


def _by_vote(keys: tuple[Sequence[Hashable], Sequence[Hashable]], labels: Sequence[Any], truth: Sequence[Any]) -> str:
    """Say so if the most frequent class of each key of the training rows is that of the test rows."""
    votes: dict[Hashable, Counter[Any]] = {}
    for key, label in zip(keys[0], labels, strict=True):
        votes.setdefault(key, Counter())[label] += 1
    answers = {key: counts.most_common(1)[0][0] for key, counts in votes.items()}
    asked = [(answers[key], label) for key, label in zip(keys[1], truth, strict=True) if key in answers]
    others = len(asked) - max(Counter(label for _, label in asked).values(), default=0)
    if len(asked) < max(_FEWEST, len(truth) / 2) or others < _FEWEST_OTHERS:
        return ""
    wrong = sum(said != label for said, label in asked)
    return f"{1 - wrong / len(asked):.1%} of {len(asked):,} test rows right" if wrong <= _LEFT * others else ""


def _keys(learned: Sequence[Any], judged: Sequence[Any]) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    """Return the cells as values of which there are few: numbers by bins, of many texts whether there is one."""
    import numpy as np

    if len(set(learned)) <= _MOST_VALUES and len(set(learned)) <= len(learned) // 2:
        return learned, judged
    if not _are_numbers(learned) or not _are_numbers(judged):
        return tuple([None if cell is None else _PRESENT for cell in cells] for cells in (learned, judged))  # type: ignore[return-value]
    known = np.array([cell for cell in learned if cell is not None], float)
    middles = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1), method="inverted_cdf"))
    edges = (middles[1:] + middles[:-1]) / 2
    return _binned(learned, edges), _binned(judged, edges)


def _binned(cells: Sequence[Any], edges: NDArray[np.float64]) -> list[Hashable]:
    import numpy as np

    bins = np.searchsorted(edges, [0.0 if cell is None else float(cell) for cell in cells], side="right").tolist()
    return [None if cell is None else at for cell, at in zip(cells, bins, strict=True)]


def _are_numbers(cells: Sequence[Any]) -> bool:
    return {type(cell) for cell in cells if cell is not None} in ({int}, {float}, {int, float})
