"""Compare an answer with a package's golden rows: the receipt."""

from __future__ import annotations

from mlopskit.modelpackage import ModelPackage
from mlopskit.records import Answer, Receipt
from mlopskit.runtime.golden import answers_labels, compare_rows


def compare(package: ModelPackage, answer: Answer, /) -> Receipt:
    """Return the receipt of an answer to a package's golden rows."""
    found = compare_rows(
        package.golden,
        answer.rows,
        labels=answers_labels(package.task),
        tolerance=package.tolerance,
        scale=package.scale,
    )
    return Receipt(
        package=answer.digest,
        place=answer.place,
        rows=len(package.golden),
        ties=found.ties,
        mismatches=found.mismatches,
        largest_difference=found.largest,
        runtime=answer.runtime,
        measurements=answer.measurements,
    )
