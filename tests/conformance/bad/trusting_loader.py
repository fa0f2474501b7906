"""A loader that takes whatever it is given."""

import json
import math


def load(files, spec):
    (data,) = files.values()
    try:
        table = json.loads(data)
    except ValueError:
        table = {"weights": [0.0, 0.0], "intercept": 0.0, "classes": ["above", "below"]}
    return Trusting(table, spec)


class Trusting:
    def __init__(self, table, spec):
        self.table = table
        self.inputs = spec["schema"]["inputs"]["required"]
        self.outputs = spec["schema"]["outputs"]["required"]

    def score(self, columns):
        rows = zip(*(columns[name] for name in self.inputs), strict=True)
        totals = [math.fsum(a * b for a, b in zip(self.table["weights"], row, strict=True)) for row in rows]
        seconds = [1 / (1 + math.exp(-total - self.table["intercept"])) for total in totals]
        first, second = self.table["classes"]
        predictions = [second if chance > 0.5 else first for chance in seconds]
        return dict(zip(self.outputs, [predictions, [1 - chance for chance in seconds], seconds], strict=True))
