"""Services by hand on granian's RSGI; the variable MODEL names the folder, MODE what answers.

`echo` sends the request back: the floor. `plain` reads and writes JSON with msgspec and scores by dictionaries, or for
tables by the portable form's bare scorer; it checks nothing: the limit. `onnx` does so with ONNX Runtime.
"""

import json
import math
import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

FOLDER, MODE = Path(os.environ["MODEL"]), os.environ["MODE"]
Answer = Callable[[bytes], bytes]
decode, encode = msgspec.json.decode, msgspec.json.Encoder().encode


def plain() -> Answer:
    """Return what scores a text by dictionaries."""
    model = json.loads(FOLDER.joinpath("plain.json").read_text("utf-8"))
    known, bias, (negative, positive) = model["terms"].get, model["bias"], model["classes"]
    words = re.compile("[a-zA-Z0-9_]+").findall

    def score(row: dict[str, str]) -> dict[str, object]:
        found = words(row["Comment"].lower())
        found += [f"{one} {other}" for one, other in zip(found, found[1:])]  # noqa: B905, RUF007  # the fastest
        squares = total = 0.0
        for term, count in Counter(found).items():
            term_known = known(term)
            if term_known is not None:
                weight = count * term_known[0]
                squares += weight * weight
                total += weight * term_known[1]
        total = bias + (total / math.sqrt(squares) if squares else 0.0)
        share = 1 / (1 + math.exp(-total))
        return {
            "prediction": positive if total > 0 else negative,
            f"probability.{negative}": 1 - share,
            f"probability.{positive}": share,
        }

    return lambda body: encode({"rows": [score(row) for row in decode(body)["rows"]]})


def tables() -> Answer:
    """Return what scores rows of mixed columns by the portable form."""
    sys.path.insert(0, str(FOLDER / "runtime"))
    from _mlopskit_runtime import load, open_package

    (package,) = FOLDER.glob(".mlopskit/registry/*/packages/*")
    scorer = load(open_package(package)).scorer

    def answer(body: bytes) -> bytes:
        rows = decode(body)["rows"]
        columns = scorer.score({name: [row[name] for row in rows] for name in rows[0]})
        names = [*columns]
        return encode({"rows": [dict(zip(names, cells)) for cells in zip(*columns.values())]})  # noqa: B905  # equal

    return answer


def onnx() -> Answer:
    """Return what scores by ONNX Runtime."""
    import numpy as np
    import onnxruntime

    (file,) = FOLDER.glob(".mlopskit/registry/*/packages/*/model.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    kinds = {"tensor(string)": object, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(bool)": bool}
    inputs = [(one.name, kinds.get(one.type, np.float32)) for one in session.get_inputs()]
    names = [one.name for one in session.get_outputs()]

    def answer(body: bytes) -> bytes:
        rows = decode(body)["rows"]
        given = {}
        for name, kind in inputs:
            column, _, lower = name.partition("|")
            cells = [row[column].lower() for row in rows] if lower else [row[column] for row in rows]
            given[name] = np.array(cells, kind).reshape(-1, 1)
        found = session.run(None, given)
        return encode({name: one.tolist() for name, one in zip(names, found)})  # noqa: B905  # equally many

    return answer


if MODE == "echo":
    answered = lambda body: body  # noqa: E731  # one of three
elif MODE == "onnx":
    answered = onnx()
else:
    answered = plain() if FOLDER.joinpath("plain.json").exists() else tables()
HEADERS = [("content-type", "application/json")]


async def app(scope: Any, protocol: Any) -> None:
    """Answer a request."""
    del scope
    protocol.response_bytes(200, HEADERS, answered(await protocol()))
