"""Recipe: all that a package is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlopskit.behaviour import Cases
from mlopskit.data import Dataset
from mlopskit.evaluator import Evaluator
from mlopskit.evidence import MOST_ROWS

GOLDEN_ROWS = 200
TOLERANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class GoldenSpec:
    """Which golden rows a package gets: how many, from "test" or from a dataset of their own, and the tolerance."""

    rows: int = GOLDEN_ROWS
    source: Dataset | None = None
    tolerance: float = TOLERANCE


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that a package is made of. The same recipe in the same environment gives the same digest.

    `formats` are the forms to store; None means every installed one that can hold the model exactly. `provenance`
    holds what is recorded of data, code and settings; `importance` asks what each input is worth, for a report.
    `perturbed` are the test rows changed on purpose (`mlopskit.robustness.perturbed`), to be judged on as well;
    of those that go worst a report may show `worst_rows`.
    """

    name: str
    model: object
    schema: Mapping[str, Any]
    test: Dataset
    evaluator: Evaluator | None = None
    formats: Sequence[str] | None = None
    golden: GoldenSpec = field(default_factory=GoldenSpec)
    cases: Cases | None = None
    importance: bool = False
    perturbed: Mapping[str, Dataset] = field(default_factory=dict)
    worst_rows: int = MOST_ROWS
    provenance: Mapping[str, Any] = field(default_factory=dict)
