"""The paths of the Open Inference Protocol around a model, for the document of OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .exchange import Served
from .openapi import TEXT, get, post, table
from .problems import JSON
from .scoring import Model
from .tensors import DATATYPES

_BOOLEAN = {"type": "boolean"}
_SHAPE = {"type": "array", "items": {"type": "integer"}}
_TENSORS = {"type": "array", "items": table(name=TEXT, datatype=TEXT, shape=_SHAPE)}


OF_SERVER: Mapping[str, Any] = {
    "/v2": get("Name the server.", table(name=TEXT, version=TEXT, extensions={"type": "array"})),
    "/v2/health/live": get("Say that the server runs.", table(live=_BOOLEAN)),
    "/v2/health/ready": get("Say whether each model answers.", table(ready=_BOOLEAN), also=(503,)),
}


def paths_of(served: Served, /) -> dict[str, Any]:
    """Return what is there of a model."""
    path, name = f"/v2/models/{served.name}", {"const": served.name}
    about = table(name=name, versions={"type": "array"}, platform=TEXT, inputs=_TENSORS, outputs=_TENSORS)
    answer = table(model_name=name, model_version=TEXT, outputs=_TENSORS)
    return {
        path: get("Describe the model's tensors.", about, bad=(400, 404, 405, 503)),
        f"{path}/ready": get("Say whether the model answers.", table(name=name, ready=_BOOLEAN), also=(503,)),
        f"{path}/infer": {
            "post": post("Answer tensors.", {JSON: {"schema": _asked(served.model)}}, {JSON: {"schema": answer}})
        },
    }


def _asked(model: Model | None) -> dict[str, Any]:
    """Return the schema of a request: a tensor for each column, in any order."""
    names = [] if model is None else [*model.schema["inputs"]["required"]]
    shape = {"prefixItems": [{"type": "integer", "minimum": 1}, {"const": 1}], "items": False}
    tensor: Mapping[str, Any] = table(
        name={"enum": names} if names else TEXT,
        datatype={"enum": [*DATATYPES]},
        shape={"type": "array", "minItems": 1, **shape},
    )
    data = {"data": {"type": "array", "minItems": 1}}
    tensors = {"type": "array", "items": {**tensor, "properties": {**tensor["properties"], **data}}}
    return table(inputs={**tensors, "minItems": len(names), "maxItems": len(names)} if names else tensors)
