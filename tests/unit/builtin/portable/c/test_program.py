"""What is generated compiles without a warning and answers the vectors, on every machine there is here."""

from __future__ import annotations

import pytest

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
