"""Look through a whole model for what has no tables, and go on behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from mlopskit.builtin.portable.writing import Answer, NoTablesError, Ref, Writing, shown
from mlopskit.format import Part

_Made = TypeVar("_Made", Ref, Answer)


@dataclass(frozen=True)
class Explaining(Writing):
    """The steps of a model, with zeros where a transformer has none; and what is to be said of each part.

    `around` are the parts within which the present one stands.
    """

    parts: list[Part] = field(default_factory=list)
    around: list[Part] = field(default_factory=list)

    def transform(self, estimator: Any, x: Ref, /) -> Ref:
        """Write a transformer; zeros for one that has no tables, if it says how wide its rows are."""
        if estimator is None or estimator == "passthrough":
            return x
        try:
            return self._told(estimator, lambda: super(Explaining, self).transform(estimator, x))
        except NoTablesError:
            width = _width(estimator)
            if width is None:
                raise
            return self.step("constant", x, values=[0.0] * width, finite=True)

    def predict(self, estimator: Any, x: Ref, /) -> Answer:
        """Write a classifier or regressor."""
        return self._told(estimator, lambda: super(Explaining, self).predict(estimator, x))

    def _told(self, estimator: Any, write: Callable[[], _Made]) -> _Made:
        place, before = len(self.parts), len(self.steps)
        part = Part(kind=shown(estimator), depth=len(self.around))
        self.parts.append(part)
        self.around.append(part)
        try:
            return write()
        except NoTablesError as error:
            if str(error) not in {one.why for one in self.parts[place:]}:  # else a part of this one has said it
                part = replace(part, why=str(error))
            raise
        finally:
            self.around.pop()
            self.parts[place] = replace(part, steps=range(before, len(self.steps)))


def _width(estimator: Any) -> int | None:
    try:
        return len(estimator.get_feature_names_out())
    except Exception:
        return None
