"""The data, as they come from elsewhere: here the samples that come with scikit-learn."""

from __future__ import annotations

import csv
from pathlib import Path

COLUMNS = ("mean radius", "mean texture", "mean concavity")


def write_samples(file: Path) -> int:
    """Write the samples to a file, and return how many there are."""
    from sklearn.datasets import load_breast_cancer

    samples = load_breast_cancer()
    places = [[*samples.feature_names].index(name) for name in COLUMNS]
    file.parent.mkdir(exist_ok=True)
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow([*COLUMNS, "label"])
        for row, label in zip(samples.data[:, places], samples.target_names[samples.target], strict=True):
            writer.writerow([*row, label])
    return len(samples.target)
