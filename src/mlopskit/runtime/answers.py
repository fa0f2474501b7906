"""Rows asked → rows answered: the forms that a request may have, as values of JSON and as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import LimitError, UsageError
from .scoring import Model

MAX_ROWS = 100_000


def reply(model: Model, request: Any, /, *, most: int | None = None) -> dict[str, Any]:
    """Return the answer to a request: in its own form, with the digest that answered, and what ran it.

    The forms are `{"rows": [{column: value}, …]}`, `{"row": {column: value}}` and `{"columns": {column: [value, …]}}`.

    Raises:
        UsageError: the request is of another form, or a row does not fit the schema.
        LimitError: it has more rows than `most`.
        PackageError: the model failed.
    """
    if type(request) is not dict or len(request) != 1:
        raise _no_form()
    ((form, asked),) = request.items()
    if form == "rows" and type(asked) is list:
        check_count(len(asked), most)
        answered: Any = model.predict(asked)
    elif form == "row":
        (answered,) = model.predict([asked])
    elif form == "columns" and type(asked) is dict and all(type(cells) is list for cells in asked.values()):
        check_count(max(map(len, asked.values()), default=0), most)
        answered = by_column(model, asked)
    else:
        raise _no_form()
    return {form: answered, "digest": model.digest, "runtime": model.runtime()}


def by_column(model: Model, columns: Mapping[str, list[Any]], /) -> dict[str, list[Any]]:
    """Return the outputs for columns of cells as plain lists, with None for what is missing."""
    return {
        name: cells if type(cells) is list else [None if cell != cell else cell for cell in cells.tolist()]  # noqa: PLR0124  # NaN alone is not itself
        for name, cells in model.predict_columns(columns).items()
    }


def check_count(rows: int, most: int | None, /) -> None:
    """Check that a request has not more rows than a server takes at once.

    Raises:
        LimitError: it has.
    """
    if most is not None and rows > most:
        raise LimitError(
            f"The request has more than {most:,} rows.", remedy=f"Send at most {most:,} rows at once.", rows=rows
        )


def _no_form() -> UsageError:
    return UsageError(
        "The request is not of a known form.",
        remedy='Send {"rows": [{"column": value, ...}, ...]}, {"row": {"column": value, ...}} or '
        '{"columns": {"column": [value, ...], ...}}.',
    )
