"""What is generated compiles without a warning and answers the vectors, on every machine there is here."""

from __future__ import annotations

import json
import re
from random import Random

import pytest

from mlopskit.builtin.portable.c import c_source
from mlopskit.builtin.portable.c.program import EMIT
from mlopskit.builtin.portable.loader.document import OPS

from .conftest import CAREFUL, STRICT, VECTORS, needs, run

pytestmark = pytest.mark.live
FILES = sorted(path for path in VECTORS.iterdir() if path.name != "refused.json")
FEW = ["text", "text-signs", "text-hashed", "forest-gaps", "histograms-categories", "columns-rare", "kernel", "network"]
MACHINES = {
    "aarch64": ["aarch64-linux-gnu-gcc", "qemu-aarch64-static"],
    "armv7": ["arm-linux-gnueabihf-gcc", "qemu-arm-static"],
}


def test_every_step_is_known():
    assert EMIT.keys() == OPS.keys()


def test_all_vectors_are_answered_and_nothing_is_read_or_written_beyond_its_end(program):
    needs("gcc")
    for path in FILES:
        program.vector(path)
    said = run(program.compiled(*CAREFUL))
    assert said.count(" 0 mismatches") == len(FILES)


def check_random(program, seeds, stranger, documents, *, exact):
    """Ask random documents of every step in C, and the scorer that was written from the page alone."""
    needs("gcc")
    for seed in seeds:
        random = Random(seed)
        document = documents.Maker(random, stranger, wild=not exact, exact=exact).made(14)
        kinds = [one["type"] for one in document["inputs"]]
        tame = [[documents.tame_cell(random, kind) for kind in kinds] for _ in range(30)]
        rows = tame if exact else documents.rows_of(random, document, 30)
        model = stranger.Model(json.dumps(document).encode())
        program.asked(f"m_{seed}", document, rows, [stranger.answer_or_none(model, row) for row in rows], 1e-12)
    said = run(program.compiled(*CAREFUL))
    assert said.count(" 0 mismatches") == len(seeds)


def test_random_documents_are_answered_as_by_another_scorer(program, stranger, documents):
    check_random(program, range(8), stranger, documents, exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 500, 40))
def test_more_random_documents_are_answered_as_by_another_scorer(seed, program, stranger, documents):
    check_random(program, range(seed, seed + 40), stranger, documents, exact=seed % 80 != 20)


def test_what_is_no_portable_model_is_refused_before_a_line_is_written():
    for document in json.loads((VECTORS / "refused.json").read_text("ascii")).values():
        with pytest.raises(ValueError, match=r"model\.json"):
            c_source(json.dumps(document).encode())


@pytest.mark.parametrize("name", ["", "Model", "int", "a b", "../a", "a" * 60, "é"])
def test_a_name_that_is_none_of_c_is_refused(name):
    with pytest.raises(ValueError, match="no name"):
        c_source(b"{}", name=name)


HOSTILE = [
    "*/ int x; /*", "??/", "\\", '"', "%s%n", "\n#error", "\0", "é\u202e", "double", "NULL", "", "a-b", "a b", "\ud800",
]  # fmt: skip


def test_nothing_that_a_model_says_is_taken_for_c(program):
    needs("gcc")
    inputs = [{"name": name, "type": "text"} for name in HOSTILE]
    known = {"cells": HOSTILE[:-1], "values": [*range(13)], "unknown": [-1], "refuse": False}
    takes = {"op": "take", "from": [0], "indexes": [0]}
    counted = {"op": "count", "from": [2], "terms": HOSTILE, "analyzer": "char", "pattern": None, "stop_words": HOSTILE}
    counted |= {"lowercase": False, "accents": None, "ngrams": [1, 20], "binary": False}
    steps = [{"op": "lookup", "from": [0], "tables": [known] * len(HOSTILE)}, takes, counted]
    steps += [{"op": "above", "from": [1], "threshold": 1e9, "equal": False}]
    labels = [*HOSTILE, "x" * 5000]
    outputs = [{"name": name, "from": 4, "at": at, "labels": labels} for at, name in enumerate(HOSTILE)]
    document = {"format_version": 1, "inputs": inputs, "steps": steps, "outputs": outputs}
    row = [*HOSTILE[:-1], "y" * 5000]
    program.asked("model", document, [row], [[labels[0]] * len(HOSTILE)], 0)
    assert " 0 mismatches" in run(program.compiled(*STRICT))


@pytest.mark.parametrize("machine", MACHINES)
def test_other_machines_answer_the_same(machine, program, record_property):
    compiler, emulator = MACHINES[machine]
    needs(compiler, emulator)
    for name in FEW:
        program.vector(VECTORS / f"{name}.json")
    said = run(emulator, program.compiled(*STRICT, "-O2", "-static", compiler=compiler))
    assert said.count(" 0 mismatches") == len(FEW)
    largest = max(float(line.rsplit(" ", 1)[1]) for line in said.splitlines() if "largest" in line)
    record_property(f"figure: largest difference in C on {machine}, under qemu", f"{largest:.1e}")
    assert largest <= 1e-10


def test_no_multiplication_is_fused_with_an_addition_where_the_machine_could(program):
    compiler, _ = MACHINES["aarch64"]
    needs(compiler)
    program.model(json.loads((VECTORS / "network.json").read_text("ascii"))["document"], "model")
    run(compiler, "-std=gnu99", "-O3", "-c", "model.c", cwd=program.folder)
    text = run("aarch64-linux-gnu-objdump", "-d", "model.o", cwd=program.folder)
    assert "fmul" in text
    assert not re.search(r"\tf(?:n?madd|n?msub|mla|mls)\b", text)


def test_what_would_lose_bits_does_not_compile(program):
    needs("gcc")
    program.model(json.loads((VECTORS / "network.json").read_text("ascii"))["document"], "model")
    with pytest.raises(AssertionError, match="do not compile this file with -ffast-math"):
        run("gcc", "-ffast-math", "-c", "model.c", cwd=program.folder)
