"""The pipeline: bring the data, train what changed, deploy to validation, and the same digest to production."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from tumours import nodes


def register_pipelines() -> dict[str, Pipeline]:
    """Return the one pipeline there is."""
    steps = [
        node(nodes.bring, inputs=None, outputs="rows", name="bring"),
        node(nodes.changed, inputs="rows", outputs="changes", name="changed"),
        node(nodes.train, inputs="changes", outputs="digest", name="train"),
        node(nodes.validation, inputs="digest", outputs="validated", name="validation"),
        node(nodes.production, inputs="validated", outputs="released", name="production"),
    ]
    return {"__default__": pipeline(steps)}
