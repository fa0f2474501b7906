"""Archives that a zip reader takes and ours refuses, and those that would burst."""

import io
import json
import zipfile

import pytest
import scipy.sparse
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression

from mlopskit.builtin.skops.archive import canonical
from mlopskit.builtin.skops.loader import container
from mlopskit.builtin.skops.loader.container import deflate, pack, unpack
from mlopskit.builtin.skops.loader.estimator import load_estimator


def crafted(archive):
    """Archives that a zip reader takes, each with something that another reader sees differently."""
    members = unpack(archive)

    def zipped(change=None, method=zipfile.ZIP_DEFLATED):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as packed:
            for name, data in members.items():
                packed.writestr(zipfile.ZipInfo(name), data, method)
            if change:
                change(packed)
        return bytearray(stream.getvalue())

    def twice(packed):
        with pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr("schema.json", b"{}")

    raw = container._members(archive, "it")
    name, crc, size, deflated = raw[0]
    yield "duplicate member", zipped(twice)
    yield "duplicate member, canonical", pack([*raw, raw[0]])
    yield "member outside", zipped(lambda packed: packed.writestr("../../evil", b"x"))
    yield "member with a folder", pack([*raw, deflate("a/0.npy", b"x")])
    yield "member that nothing uses", pack([*raw, deflate("99.npy", unpack(archive)["0.npy"])])
    yield "comment", zipped(lambda packed: setattr(packed, "comment", b"PK"))
    yield "stored, not deflated", zipped(method=zipfile.ZIP_STORED)
    yield "data before", b"MZ" + archive
    yield "data before, another archive", archive + archive
    yield "data after", archive + b"\0"
    yield "wrong checksum", pack([(name, crc ^ 1, size, deflated), *raw[1:]])
    yield "data after a member", pack([(name, crc, size, deflated + b"\0"), *raw[1:]])
    yield "not deflated at all", pack([(name, crc, size, b"\xff" * 9), *raw[1:]])
    yield "cut member", pack([(name, crc, size, deflated[:-1]), *raw[1:]])
    local_name = bytearray(archive)
    local_name[30] ^= 1
    yield "another name in the local header", local_name
    flag = bytearray(archive)
    flag[6] |= 1
    yield "encrypted flag in the local header", flag
    central = archive.index(b"PK\1\2")
    for what, at in {"flag": 8, "checksum": 16, "size": 24, "offset": 42, "attributes": 38}.items():
        changed = bytearray(archive)
        changed[central + at] ^= 1
        yield f"{what} in the directory", changed
    yield "cut", archive[:-30]
    fewer = bytearray(archive)
    fewer[-12] += 1
    yield "one member more in the end record", fewer


def test_crafted_containers_are_refused(archive, model, spec, load):
    seen = {}
    for what, data in crafted(archive):
        try:
            load(bytes(data), spec(model))
        except ValueError as error:
            seen[what] = str(error)
        else:
            pytest.fail(f"loaded: {what}")
    assert len(seen) >= 20
    assert load(archive, spec(model))


def test_every_cut_and_every_flipped_byte_of_the_container_is_refused_or_harmless(archive, model, spec, load):
    steps = range(0, len(archive), 7)
    for at in steps:
        with pytest.raises(ValueError, match="skops"):
            load(archive[:at], spec(model))
        flipped = bytearray(archive)
        flipped[at] ^= 0x10
        try:
            load(bytes(flipped), spec(model))
        except ValueError:
            continue
        # the last bits of a deflated member mean nothing
        assert unpack(bytes(flipped)) == unpack(archive)


def test_more_than_an_archive_holds_is_not_packed(monkeypatch):
    monkeypatch.setattr(container, "MAX_MEMBERS", 1)
    with pytest.raises(ValueError, match="2 members"):
        pack([deflate("0.npy", b""), deflate("1.npy", b"")])


def test_a_member_over_the_limit_is_refused(archive, refuses, monkeypatch):
    monkeypatch.setattr(container, "MAX_MEMBER", 10)
    refuses(archive, "at most 10 are read")


BOMBS = """
import io, json, resource, sys, zlib
import numpy as np, sklearn.linear_model, skops.io
from mlopskit.builtin.skops import loader
from mlopskit.builtin.skops.loader import container
from mlopskit.builtin.skops.loader.arrays import check_sparse
from mlopskit.builtin.skops.loader.container import deflate, pack
archive = open(sys.argv[1], "rb").read()
spec = json.loads(sys.argv[2])
raw = container._members(archive, "it")
schema = raw[-1]

def deflated(count):
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(count)), packer.flush()])

zeros = deflated(640)
header = io.BytesIO()
np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 30, 1 << 10)})
wide = io.BytesIO()
np.lib.format.write_array_header_1_0(wide, {"descr": "<U0", "fortran_order": False, "shape": (1 << 60,)})
name = raw[0][0]
inner = pack([("indices.npy", 0, 640 << 20, zeros)])
crc = 0
for _ in range(640):
    crc = zlib.crc32(bytes(1 << 20), crc)
bombs = {
    "true sizes": pack([(name, crc, 640 << 20, zeros), *raw[1:]]),
    "in the schema": pack([*raw[:-1], ("schema.json", crc, 640 << 20, zeros)]),
    "lying header": pack([(name, crc, 1000, zeros), *raw[1:]]),
    "declared 4 GiB": pack([(name, crc, (4 << 30) - 1, zeros), *raw[1:]]),
    "shape": pack([deflate(name, header.getvalue() + bytes(64)), *raw[1:]]),
    "shape of nothing": pack([deflate(name, wide.getvalue()), *raw[1:]]),
}
size = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, ((size << 10) + (512 << 20),) * 2)
seen = {}
for what, data in bombs.items():
    try:
        loader.load({"model.skops": data}, spec)
        seen[what] = "loaded"
    except ValueError as error:
        seen[what] = f"refused: {error}"
try:
    check_sparse(inner, "it")
except ValueError as error:
    seen["archive in an archive"] = f"refused: {error}"
try:
    skops.io.loads(bombs["true sizes"])
    seen["without the loader"] = "loaded"
except MemoryError:
    seen["without the loader"] = "out of memory"
loader.load({"model.skops": archive}, spec)
print(json.dumps(seen))
"""


def test_bombs_are_refused_before_they_burst(archive, model, spec, child, tmp_path):
    (tmp_path / "model.skops").write_bytes(archive)
    seen = child(BOMBS, tmp_path / "model.skops", json.dumps(spec(model)))
    assert seen.pop("without the loader") == "out of memory"
    assert len(seen) == 7
    assert all(said.startswith("refused: ") for said in seen.values()), seen
    assert "memory" not in json.dumps(seen).lower()


def test_archives_within_an_archive_share_its_budget(data, monkeypatch):
    features, labels = data
    models = [LogisticRegression(C=C).fit(scipy.sparse.csr_matrix(features), labels).sparsify() for C in (1, 2)]
    voting = VotingClassifier([("one", models[0]), ("other", models[1])]).fit(features, labels)
    voting.estimators_ = models
    stored = canonical(voting)
    outer = unpack(stored)
    inner = [unpack(member) for name, member in outer.items() if name.endswith(".npz")]
    assert len(inner) == len(models)
    total = sum(len(part) for members in (outer, *inner) for part in members.values())
    monkeypatch.setattr(container, "MAX_RATIO", 0)
    monkeypatch.setattr(container, "FREE", total)
    assert load_estimator(stored).predict(features).tolist() == voting.predict(features).tolist()
    monkeypatch.setattr(container, "FREE", total - 1)
    with pytest.raises(ValueError, match="more than a model may"):
        load_estimator(stored)
