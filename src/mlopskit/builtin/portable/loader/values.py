"""What a step makes of a row: a vector, dense or sparse, or cells with texts among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Run = Callable[..., Any]
MOST = 1 << 24  # elements of one vector
MOST_DENSE = 1 << 22  # of one that is written out
_NO_FIELDS: Mapping[str, Any] = {}


class Sparse(dict[int, float]):
    """A vector by its elements that are not zero."""

    def __missing__(self, key: int) -> float:
        return 0.0


class Value(NamedTuple):
    """The vectors that a step makes: their width, whether they are sparse, and which elements are texts.

    `choices` says that each element is a whole number from 0 to below its own, so that it may stand for a label.
    `run` makes a vector from those of the steps before: a sequence, or a `Sparse`; a missing number is NaN, a missing
    text None. `op` and `fields` are what the step was made of.
    """

    width: int
    run: Run
    sparse: bool = False
    texts: tuple[bool, ...] = ()
    choices: tuple[int, ...] = ()
    op: str = ""
    fields: Mapping[str, Any] = _NO_FIELDS

    @property
    def has_texts(self) -> bool:
        """Whether some elements are texts."""
        return any(self.texts)


def numeric(*values: Value) -> None:
    """Refuse texts where numbers are needed."""
    if any(value.has_texts for value in values):
        raise ValueError("needs numbers, its source has texts")


def same(value: Value, *tables: Any) -> None:
    """Refuse a table that has not one cell for each element."""
    for table in tables:
        if len(table) != value.width:
            raise ValueError(f"has a table of {len(table)} cells for {value.width} elements")


def some(value: Value) -> None:
    """Refuse a vector without an element where one is needed."""
    if not value.width:
        raise ValueError("needs an element, its source has none")


def chosen(value: Value, choices: tuple[int, ...], /) -> Value:
    """Return a value whose elements are numbers of labels."""
    return Value(value.width, value.run, choices=choices)


def below(most: int, indexes: Any, what: str = "element") -> None:
    """Refuse an index that is not below a number."""
    if indexes and not (min(indexes) >= 0 and max(indexes) < most):
        raise ValueError(f"names an {what} beyond the {most} there are")


def dense(value: Value, run: Run, /) -> Run:
    """Return what is done to a dense vector as done to this value."""
    if not value.sparse:
        return run
    if value.width > MOST_DENSE:
        raise ValueError(f"would write out {value.width} elements, at most {MOST_DENSE} are")
    places = range(value.width)
    return lambda x: run([x[i] for i in places])


def made(value: Value, run: Run, sparse_run: Run | None = None, *, width: int | None = None) -> Value:
    """Return the value of a step on one source: dense, or sparse where there is a way for it."""
    numeric(value)
    wide = value.width if width is None else width
    if value.sparse and sparse_run is not None:
        return Value(wide, sparse_run, sparse=True)
    return Value(wide, dense(value, run))


class Field(NamedTuple):
    """A field of a step: what checks and returns it, and its JSON Schema."""

    check: Callable[[Any], Any]
    schema: Mapping[str, Any]


class Op(NamedTuple):
    """A kind of step: what makes it from its checked fields and sources, how many of these, and its fields."""

    make: Callable[..., Value]
    fields: Mapping[str, Field]
    sources: int | None = 1  # None: one or more
