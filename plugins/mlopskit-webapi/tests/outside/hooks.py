"""What schemathesis is told of the service beyond its document. Run by schemathesis, in an environment of its own."""

import csv
import io

import schemathesis
from schemathesis.generation import GenerationMode


@schemathesis.serializer("text/csv")
def csv_of(context, value):
    """Write rows as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(value[0]))
    writer.writeheader()
    writer.writerows(value)
    return text.getvalue().encode()


@schemathesis.deserializer("text/csv")
def rows_of(context, response):
    """Return the rows of an answer, whose outputs are numbers."""
    rows = csv.DictReader(io.StringIO(response.content.decode()))
    return [{name: float(cell) for name, cell in row.items()} for row in rows]


@schemathesis.hook
def filter_case(context, case) -> bool:
    """Leave out what no JSON Schema can say to be right or wrong."""
    if case.media_type == "text/csv":
        # In CSV, text that looks like a number is one.
        return case.meta.generation.mode is GenerationMode.POSITIVE
    columns = case.body.get("columns") if isinstance(case.body, dict) else None
    if case.meta.generation.mode is GenerationMode.POSITIVE and isinstance(columns, dict):
        return len({len(cells) for cells in columns.values()}) == 1  # as long as each other
    return True
