"""The ONNX form: beside the engine's bare call, beside scikit-learn with many texts, and beside the portable form."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from budgets import PYTHON, Figure, bests, form_of, small_models
from portable import ROWS, Compared, numbers, seconds, sentiment, text

MOST = 300 * 1_000_000  # bytes that many texts may take
# What a process of its own takes more when it has scored the texts of a file.
_MEMORY = """
import json, re, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from budgets import form_of
scorer, texts = form_of(Path(sys.argv[1]), "onnx").scorer, json.loads(Path(sys.argv[2]).read_bytes())
scorer.score({"Comment": texts[:10]})
Path("/proc/self/clear_refs").write_text("5")  # the most is counted from now on
status = Path("/proc/self/status")
held = lambda name: int(re.search(name + r":\\s+(\\d+) kB", status.read_text())[1]) * 1024
before = held("VmRSS")
scorer.score({"Comment": texts})
print(held("VmHWM") - before)
"""


def graph_figures(rows: int = ROWS) -> Iterator[Figure]:
    """Measure single rows and many."""
    yield from _beyond_the_engine()
    with tempfile.TemporaryDirectory() as temporary:
        package, texts = sentiment(Path(temporary))
        words = text(package, texts, rows, "onnx")
        yield from _many_texts(package.folder, words, Path(temporary))
        models = {form: [text(package, texts, rows, form), *numbers(Path(temporary, form), rows, form)]
                  for form in ("portable", "onnx")}  # fmt: skip
        for portable, onnx in zip(*models.values(), strict=True):
            yield from _beside(portable, onnx)


def _beyond_the_engine() -> Iterator[Figure]:
    """Measure one row of the runtime beyond the bare call of a session."""
    import mlopskit as mk

    with tempfile.TemporaryDirectory() as temporary:
        for what, model, rows, labels in small_models():
            package = mk.package(model, rows, labels, name=what, gates=[], registry=temporary)
            form = form_of(package.folder, "onnx")
            cells = [rows[0]] if what == "text" else rows[0].tolist()
            row = dict(zip(package.schema.inputs["required"], cells, strict=True))
            call = _bare(form.scorer, {name: [cell] for name, cell in row.items()})
            ours, own = bests(lambda: form.predict([row]), call)  # noqa: B023  # called here
            if what == "text":
                said = f"one text in process, onnx form: times the session's own call ({own * 1e6:.1f} us)"
                yield Figure(what=said, measured=ours / own, budget=1.3, unit="x")
            else:
                said = f"one row of 8 numbers in process, onnx form: beyond the session's own call ({own * 1e6:.1f} us)"
                yield Figure(what=said, measured=(ours - own) * 1e6, budget=20, unit="us")


def _bare(scorer: Any, columns: Any) -> Callable[[], object]:
    given, outputs = scorer.given(columns), scorer.outputs
    return lambda: scorer.session.run(outputs, given)


def _many_texts(folder: Path, words: Compared, temporary: Path) -> Iterator[Figure]:
    """Measure many texts in parts, beside the estimator's own predict and predict_proba, and what memory they take."""
    own, ours = [], []
    for _ in range(3):
        own.append(seconds(lambda: (words.model.predict(words.rows), words.model.predict_proba(words.rows))))
        ours.append(seconds(lambda: words.scorer.score(words.columns)))
    said = f"{len(words.rows):,} texts, onnx form ({min(ours):.2f} s): times its own predict and predict_proba"
    yield Figure(what=said, measured=min(ours) / min(own), budget=2.5, unit="x")
    file = temporary / "texts.json"
    file.write_text(json.dumps(words.rows))
    command = [PYTHON, "-c", _MEMORY, str(folder), str(file), str(Path(__file__).parent)]
    more = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    what = f"{len(words.rows):,} texts, onnx form: memory that they take more"
    yield Figure(what=what, measured=more / 1e6, budget=MOST / 1e6, unit="MB")


def _beside(portable: Compared, onnx: Compared) -> Iterator[Figure]:
    """Measure the portable form beside the ONNX form.

    It is the one that is taken first: so it is to be about as fast for one row, and may be slower for many, as it needs
    no engine.
    """
    one = {name: [cells[0] if isinstance(cells, list) else cells[0].item()] for name, cells in portable.columns.items()}
    first, second = bests(lambda: portable.scorer.score(one), lambda: onnx.scorer.score(one))
    what = f"one row, portable form ({first * 1e6:.0f} us): times the onnx form ({second * 1e6:.0f} us)"
    yield Figure(what=f"{what}, {portable.what}", measured=first / second, budget=1.5, unit="x")
    first, second = (
        min(seconds(lambda: one.scorer.score(one.columns)) for _ in range(3))  # noqa: B023  # called here
        for one in (portable, onnx)
    )
    what = f"{len(portable.rows):,} rows, portable form ({first:.2f} s): times the onnx form ({second:.2f} s)"
    yield Figure(what=f"{what}, {portable.what}", measured=first / second, budget=3, unit="x")


if __name__ == "__main__":
    for figure in graph_figures(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS):
        kept = "kept" if figure.kept else "NOT KEPT"
        print(f"{figure.what}: {figure.measured:.3g} {figure.unit} ({kept})", flush=True)
