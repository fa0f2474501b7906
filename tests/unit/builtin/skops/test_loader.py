"""The skops loader against archives that were made to harm: each is refused, and nothing happens."""

import io
import json
import pickle
import zipfile

import joblib
import numpy as np
import pytest
import scipy.sparse
import sklearn
from hypothesis import given
from hypothesis import strategies as hypothesis
from hypothesis.strategies import integers, lists
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC

from mlopskit.builtin.skops import loader
from mlopskit.builtin.skops.archive import canonical


def load(data, spec):
    return loader.load({"model.skops": data}, spec)


@pytest.fixture(scope="module")
def model(data):
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(*data)


@pytest.fixture(scope="module")
def archive(model):
    return canonical(model)


@pytest.fixture
def refuses(model, spec):
    def check(data, words=None):
        with pytest.raises(ValueError, match=words):
            load(data, spec(model))

    return check


# --- other formats under this name ---------------------------------------------------------------------------------


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


NAMES = ["model.skops", "model.pkl", "model.pickle", "model.joblib", "model.sav", "model.p", "model.dat", "model"]


@pytest.mark.parametrize("name", NAMES)
def test_a_pickle_is_not_run_whatever_its_name(name, tmp_path, model, spec):
    path = tmp_path / "canary"
    data = pickle.dumps(Canary(path))
    with pytest.raises(ValueError, match="skops"):
        loader.load({name: data}, spec(model))
    assert not path.exists()
    pickle.loads(data).close()
    assert path.exists()  # the bird sings where there is a pickle loader


def other_formats(tmp_path):
    canary = Canary(tmp_path / "canary")
    stream = io.BytesIO()
    joblib.dump(canary, stream)
    yield stream.getvalue()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("schema.json", pickle.dumps(canary))
    yield stream.getvalue()
    stream = io.BytesIO()
    np.save(stream, np.array([canary], dtype=object), allow_pickle=True)
    yield stream.getvalue()
    yield b""
    yield b"{}"
    yield b"\x89HDF\r\n\x1a\n" + bytes(100)
    yield b"PK\3\4" + bytes(100)
    yield b"PK\5\6" + bytes(18)
    yield loader.pack([])
    yield loader.pack([loader.deflate("0.npy", b"")])


def test_the_bytes_of_other_formats_are_refused(tmp_path, refuses):
    for data in other_formats(tmp_path):
        refuses(data, "skops|schema|archive")
    assert not (tmp_path / "canary").exists()


# --- the container ------------------------------------------------------------------------------------------------


def crafted(archive):
    """Archives that a zip reader takes, each with something that another reader sees differently."""
    members = loader.unpack(archive)

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

    raw = loader._members(archive, "it")
    name, crc, size, deflated = raw[0]
    yield "duplicate member", zipped(twice)
    yield "duplicate member, canonical", loader.pack([*raw, raw[0]])
    yield "member outside", zipped(lambda packed: packed.writestr("../../evil", b"x"))
    yield "member with a folder", loader.pack([*raw, loader.deflate("a/0.npy", b"x")])
    yield "member that nothing uses", loader.pack([*raw, loader.deflate("99.npy", loader.unpack(archive)["0.npy"])])
    yield "comment", zipped(lambda packed: setattr(packed, "comment", b"PK"))
    yield "stored, not deflated", zipped(method=zipfile.ZIP_STORED)
    yield "data before", b"MZ" + archive
    yield "data before, another archive", archive + archive
    yield "data after", archive + b"\0"
    yield "wrong checksum", loader.pack([(name, crc ^ 1, size, deflated), *raw[1:]])
    yield "data after a member", loader.pack([(name, crc, size, deflated + b"\0"), *raw[1:]])
    yield "not deflated at all", loader.pack([(name, crc, size, b"\xff" * 9), *raw[1:]])
    yield "cut member", loader.pack([(name, crc, size, deflated[:-1]), *raw[1:]])
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


def test_crafted_containers_are_refused(archive, model, spec):
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


def test_every_cut_and_every_flipped_byte_of_the_container_is_refused_or_harmless(archive, model, spec):
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
        assert loader.unpack(bytes(flipped)) == loader.unpack(archive)


def test_other_files_are_refused(archive, model, spec):
    for files in ({}, {"model.skops": archive, "more": b""}):
        with pytest.raises(ValueError, match="one file"):
            loader.load(files, spec(model))


def test_more_than_an_archive_holds_is_not_packed(monkeypatch):
    monkeypatch.setattr(loader, "MAX_MEMBERS", 1)
    with pytest.raises(ValueError, match="2 members"):
        loader.pack([loader.deflate("0.npy", b""), loader.deflate("1.npy", b"")])


def test_a_member_over_the_limit_is_refused(archive, refuses, monkeypatch):
    monkeypatch.setattr(loader, "MAX_MEMBER", 10)
    refuses(archive, "at most 10 are read")


def test_a_schema_over_the_limit_is_refused(archive, refuses, monkeypatch):
    monkeypatch.setattr(loader, "MAX_SCHEMA", 10)
    refuses(archive, "at most 10 are read")


BOMBS = """
import io, json, resource, sys, zlib
import numpy as np, sklearn.linear_model, skops.io
from mlopskit.builtin.skops import loader
archive = open(sys.argv[1], "rb").read()
spec = json.loads(sys.argv[2])
raw = loader._members(archive, "it")
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
inner = loader.pack([("indices.npy", 0, 640 << 20, zeros)])
crc = 0
for _ in range(640):
    crc = zlib.crc32(bytes(1 << 20), crc)
bombs = {
    "true sizes": loader.pack([(name, crc, 640 << 20, zeros), *raw[1:]]),
    "in the schema": loader.pack([*raw[:-1], ("schema.json", crc, 640 << 20, zeros)]),
    "lying header": loader.pack([(name, crc, 1000, zeros), *raw[1:]]),
    "declared 4 GiB": loader.pack([(name, crc, (4 << 30) - 1, zeros), *raw[1:]]),
    "shape": loader.pack([loader.deflate(name, header.getvalue() + bytes(64)), *raw[1:]]),
    "shape of nothing": loader.pack([loader.deflate(name, wide.getvalue()), *raw[1:]]),
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
    loader._sparse(inner, "it")
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


# --- arrays -------------------------------------------------------------------------------------------------------


def npy(descr, shape, body, *, version=1):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    return b"\x93NUMPY" + bytes([version, 0]) + header.getvalue()[8:] + body


ARRAYS = {
    "objects": npy("|O", (1,), pickle.dumps([1])),
    "objects in a record": npy([("a", "|O")], (1,), bytes(8)),
    "dates": npy("<M8[s]", (1,), bytes(8)),
    "raw memory": npy("|V8", (1,), bytes(8)),
    "another version": npy("<f8", (1,), bytes(8), version=3),
    "too few bytes": npy("<f8", (2,), bytes(8)),
    "too many bytes": npy("<f8", (1,), bytes(16)),
    "a negative size": npy("<f8", (-1, -1), bytes(8)),
    "a huge empty size": npy("<f8", (0, 1 << 40), b""),
    "code in the header": b"\x93NUMPY\1\0" + (20).to_bytes(2, "little") + b"__import__('evil')\n\n",
    "booleans that are none": npy("|b1", (1,), b"\xff"),
    "text that is none": npy("<U1", (1,), b"\xff\xff\xff\xff"),
    "nothing": b"",
    "a cut header": npy("<f8", (1,), b"")[:40],
}


@pytest.mark.parametrize("what", ARRAYS)
def test_arrays_that_are_not_plain_are_refused(what, archive, forge, refuses):
    forged = forge(archive)
    node = forged.at("steps", 0, 1, "mean_")
    forged.members[node["file"]] = ARRAYS[what]
    refuses(forged.data())


def test_plain_arrays_are_read():
    for values in (np.arange(6).reshape(2, 3), np.asfortranarray(np.eye(3)), np.array(["a", "bc"]), np.array(3.0)):
        stream = io.BytesIO()
        np.save(stream, values)
        assert np.array_equal(loader.array(stream.getvalue(), "it"), values)


def sparse_parts(**changed):
    parts = {
        "indices": np.array([0, 1], dtype="int32"),
        "indptr": np.array([0, 1, 2], dtype="int32"),
        "format": np.array(b"csr"),
        "shape": np.array([2, 2]),
        "data": np.array([1.0, 2.0]),
    }
    return {name: part for name, part in (parts | changed).items() if part is not None}


def packed(parts):
    files = []
    for name, part in parts.items():
        stream = io.BytesIO()
        np.save(stream, part)
        files.append(loader.deflate(f"{name}.npy", stream.getvalue()))
    return loader.pack(files)


@pytest.mark.parametrize(
    "changed",
    [
        {"indices": None},
        {"more": np.zeros(1)},
        {"format": np.array(b"coo")},
        {"format": np.array([b"csr"])},
        {"indices": np.array([0.0, 1.0])},
        {"indptr": np.zeros((1, 3), dtype=int)},
        {"shape": np.array([2])},
        {"data": np.array(["a", "b"])},
    ],
)
def test_sparse_matrices_that_are_none_are_refused(changed):
    loader._sparse(packed(sparse_parts()), "it")
    with pytest.raises(ValueError, match=r"^it "):
        loader._sparse(packed(sparse_parts(**changed)), "it")


def test_a_sparse_matrix_with_an_index_outside_is_refused(data, forge, refuses):
    features, labels = data
    model = LogisticRegression().fit(scipy.sparse.csr_matrix(features), labels).sparsify()
    forged = forge(canonical(model))
    node = forged.at("coef_")
    forged.members[node["file"]] = packed(
        sparse_parts(
            indices=np.array([1_000_000], "int32"),
            indptr=np.array([0, 1], "int32"),
            shape=np.array([1, 4]),
            data=np.ones(1),
        )
    )
    refuses(forged.data(), r"model\.coef_: ")


# --- schema.json --------------------------------------------------------------------------------------------------


def test_a_schema_that_reads_in_two_ways_is_refused(archive, refuses):
    members = loader.unpack(archive)
    text = members.pop("schema.json").decode()
    for changed in (
        text.replace('"__class__":"Pipeline"', '"__class__":"Pipeline","__class__":"Pipeline"', 1),
        text.replace('"protocol":2', '"protocol":NaN'),
        text.replace('"protocol":2', '"protocol":0'),
        text.replace('"protocol":2', '"protocol":true'),
        text.replace('"_skops_version"', '"_version"'),
        text[:-1],
        f"[{text}]",
        "",
    ):
        assert changed != text
        refuses(loader.pack(loader.deflate(*item) for item in [*members.items(), ("schema.json", changed.encode())]))


def nested(depth, leaf):
    for _ in range(depth):
        leaf = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": [leaf]}
    return leaf


def test_depth_is_limited(archive, forge, refuses, model, spec, json_node):
    forged = forge(archive)
    forged.set("deep", nested(10, json_node(1)))
    assert load(forged.data(), spec(model))
    forged.set("deep", nested(100, json_node(1)))
    refuses(forged.data(), "nested more than")
    forged.set("deep", "HERE")
    text = json.dumps(forged.root)
    for begin, end in (("[", "]"), ('{"a":', "}")):
        deep = text.replace('"HERE"', begin * 100_000 + "1" + end * 100_000)
        members = [*forged.members.items(), ("schema.json", deep.encode())]
        refuses(loader.pack(loader.deflate(*item) for item in members), "nested too deep")
    forged.set("deep", json_node(1) | {"content": "[" * 100_000 + "]" * 100_000})
    refuses(forged.data(), "model.deep")


def change(path, **changed):
    return lambda forged, _json: forged.at(*path).update(changed)


def reference(number):
    return {"__class__": "list", "__module__": "builtins", "__loader__": "CachedNode", "__id__": number}


def itself(forged, _json):
    whole = nested(1, reference(7))
    forged.set("odd", whole | {"__id__": 7})


def list_of(*items, **more):
    return {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": list(items), **more}


def tuple_of(*items):
    return {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": list(items)}


def objects(shape, *items):
    return {
        "__class__": "ndarray",
        "__module__": "numpy",
        "__loader__": "NdArrayNode",
        "type": "json",
        "content": list(items),
        "shape": shape,
    }


def dict_of(content, types, **more):
    return {
        "__class__": "dict",
        "__module__": "builtins",
        "__loader__": "DictNode",
        "content": content,
        "key_types": list_of(*types),
        **more,
    }


def kind(name, module="builtins", **more):
    return {"__class__": name, "__module__": module, "__loader__": "TypeNode", **more}


def node(loader_name, name, **more):
    module, _, last = name.rpartition(".")
    return {"__class__": last, "__module__": module, "__loader__": loader_name, **more}


TREE = "sklearn.tree._tree.Tree"
MALFORMED = {
    "no content": lambda json: {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode"},
    "more keys": lambda json: json(1) | {"more": 1},
    "no class": lambda json: {"__loader__": "JsonNode", "content": "1"},
    "a number for a node": lambda json: 1,
    "a list for a node": lambda json: [],
    "a list for a kind": lambda json: json(1) | {"__loader__": []},
    "json that is no text": lambda json: json(1) | {"content": 1},
    "json of more": lambda json: json(1) | {"content": "[1]"},
    "json that is none": lambda json: json(1) | {"content": "1 2"},
    "json with a huge number": lambda json: json(1) | {"content": "9" * 5000},
    "json with an id": lambda json: json(1) | {"__id__": 3},
    "content of a list": lambda json: list_of() | {"content": {}},
    "an id of text": lambda json: list_of(__id__="1"),
    "an id of true": lambda json: list_of(__id__=True),
    "an id of zero": lambda json: list_of(__id__=0),
    "an id taken": lambda json: list_of(list_of(__id__=5), list_of(__id__=5)),
    "a reference to nothing": lambda json: reference(99),
    "a reference to text": lambda json: reference("99"),
    "a reference of another class": lambda json: list_of(list_of(__id__=5), reference(5) | {"__class__": "set"}),
    "a reference with content": lambda json: list_of(list_of(__id__=5), reference(5) | {"content": []}),
    "a dict without types": lambda json: dict_of({"a": json(1)}, []),
    "a dict with types of another list": lambda json: dict_of({}, []) | {"key_types": tuple_of()},
    "a dict with types of a module": lambda json: dict_of({}, []) | {"key_types": list_of() | {"__module__": "evil"}},
    "a dict with types that have an id": lambda json: dict_of({}, []) | {"key_types": list_of(__id__=3)},
    "a dict with an odd key": lambda json: dict_of({"a": json(1)}, [kind("eval")]),
    "a dict with keys of null": lambda json: dict_of({"a": json(1)}, [kind("NoneType")]),
    "a key type with content": lambda json: dict_of({"a": json(1)}, [kind("str", content=1)]),
    "a key type with an id of text": lambda json: dict_of({"a": json(1)}, [kind("str", __id__="a")]),
    "a key type that is a reference to a list": lambda json: list_of(
        list_of(__id__=5), dict_of({"a": json(1)}, [reference(5)])
    ),
    "a dict of a class": lambda json: dict_of({}, [], __class__="Evil", __module__="evil"),
    "an object of a list": lambda json: node("ObjectNode", "sklearn.pipeline.Pipeline", content=list_of()),
    "an object of another dict": lambda json: node(
        "ObjectNode", "sklearn.pipeline.Pipeline", content=dict_of({}, [], __module__="evil")
    ),
    "an object with numbers for names": lambda json: node(
        "ObjectNode", "sklearn.pipeline.Pipeline", content=dict_of({"1": json(1)}, [kind("int")])
    ),
    "an object of another version": lambda json: node(
        "ObjectNode", "sklearn.pipeline.Pipeline", content=dict_of({"_sklearn_version": json("0.1")}, [kind("str")])
    ),
    "an array of an odd type": lambda json: objects(tuple_of(json(1)), json(1)) | {"type": "pickle"},
    "an array whose file is missing": lambda json: {
        **node("NdArrayNode", "numpy.ndarray"),
        "type": "numpy",
        "file": "77.npy",
    },
    "an array whose file is the schema": lambda json: {
        **node("NdArrayNode", "numpy.ndarray"),
        "type": "numpy",
        "file": "schema.json",
    },
    "an array whose file is used": lambda json: {
        **node("NdArrayNode", "numpy.ndarray"),
        "type": "numpy",
        "file": "0.npy",
    },
    "objects of another shape": lambda json: objects(tuple_of(json(2)), json(1)),
    "objects of no shape": lambda json: objects(tuple_of()),
    "objects of a shape of text": lambda json: objects(tuple_of(json("2")), json(1)),
    "objects with a shape of a module": lambda json: objects(tuple_of(json(1)) | {"__module__": "evil"}, json(1)),
    "objects with a shape of a list": lambda json: objects(list_of(json(1)), json(1)),
    "objects of two dimensions that are not": lambda json: objects(tuple_of(json(1), json(2)), list_of(json(1))),
    "objects of two dimensions, shared": lambda json: objects(
        tuple_of(json(2), json(1)), list_of(json(1), __id__=8), reference(8)
    ),
    "objects of two dimensions, deeper": lambda json: objects(tuple_of(json(1), json(1)), list_of(list_of(json(1)))),
    "a sparse matrix of another type": lambda json: {
        **node("SparseMatrixNode", "scipy.sparse._csr.csr_matrix"),
        "type": "numpy",
        "file": "0.npz",
    },
    "a sparse matrix of an array": lambda json: {
        **node("SparseMatrixNode", "scipy.sparse._csr.csr_matrix"),
        "type": "scipy",
        "file": "0.npy",
    },
    "a dtype of a number": lambda json: node("DTypeNode", "numpy.dtype", content=json(1)),
    "a frozenset of a number": lambda json: node(
        "ConstructorFromReduceNode", "builtins.frozenset", content=tuple_of(json(1))
    ),
    "a frozenset of a list": lambda json: node("ConstructorFromReduceNode", "builtins.frozenset", content=list_of()),
    "a loss with a state": lambda json: node(
        "LossNode", "sklearn.linear_model._sgd_fast.Hinge", content=tuple_of(json(1)), __reduce__={"args": tuple_of()}
    ),
    "a loss of text": lambda json: node(
        "LossNode", "sklearn.linear_model._sgd_fast.Hinge", content=tuple_of(), __reduce__={"args": tuple_of(json("a"))}
    ),
    "a loss of more": lambda json: node(
        "LossNode",
        "sklearn.linear_model._sgd_fast.Hinge",
        content=tuple_of(),
        __reduce__={"args": tuple_of(), "more": 1},
    ),
    "a random state of nothing": lambda json: node(
        "RandomStateNode", "numpy.random.mtrand.RandomState", content=dict_of({}, [])
    ),
    "a slice of text": lambda json: node(
        "SliceNode", "builtins.slice", content={"start": "a", "stop": None, "step": None}
    ),
    "a slice of two": lambda json: node("SliceNode", "builtins.slice", content={"start": 1, "stop": None}),
    "a tree elsewhere": lambda json: node(
        "TreeNode", TREE, content=dict_of({}, []), __reduce__={"args": tuple_of(json(1), json(1), json(1))}
    ),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_node_is_refused_with_its_place(what, archive, forge, refuses, json_node):
    forged = forge(archive)
    forged.set("odd", MALFORMED[what](json_node))
    refuses(forged.data(), r"model\.odd|key")


def test_a_number_is_one(archive, forge, refuses):
    forged = forge(archive)
    forged.set("odd", forged.add(np.ones(3)) | {"__class__": "float64"})
    refuses(forged.data(), "a single float64 of shape")


def test_a_list_that_contains_itself_is_refused(archive, forge, refuses):
    forged = forge(archive)
    itself(forged, None)
    refuses(forged.data(), "not defined before")


def test_what_a_model_may_hold_is_loaded(archive, forge, json_node):
    forged = forge(archive)
    state = np.random.RandomState(3)
    forged.set("more", list_of(list_of(json_node(1), __id__=5), reference(5)))
    forged.set("part", node("SliceNode", "builtins.slice", content={"start": 1, "stop": None, "step": None}))
    loaded = loader.load_estimator(forged.data())
    assert loaded.more[0] is loaded.more[1]
    assert loaded.part == slice(1, None, None)
    model = LogisticRegression(random_state=state).fit([[0.0], [1.0]], [0, 1])
    model.words = frozenset({"a", "b"})
    model.kinds = [np.dtype("float32"), np.float64, {"a", "b"}]
    loaded = loader.load_estimator(canonical(model))
    assert loaded.random_state.rand() == np.random.RandomState(3).rand()
    assert (loaded.words, loaded.kinds) == (model.words, model.kinds)


def test_a_random_state_that_reads_beyond_its_key_is_refused(forge, refuses, json_node):
    model = LogisticRegression(random_state=np.random.RandomState(3)).fit([[0.0], [1.0]], [0, 1])
    forged = forge(canonical(model))
    state = forged.at("random_state")["content"]["content"]["state"]["content"]
    state["pos"] = json_node(10**6)
    refuses(forged.data(), "a random state that is none")


# --- types --------------------------------------------------------------------------------------------------------

KINDS = [
    "ObjectNode", "FunctionNode", "TypeNode", "MethodNode", "PartialNode", "OperatorFuncNode", "LossNode", "TreeNode",
    "ConstructorFromReduceNode", "DictNode", "DefaultDictNode", "ListNode", "TupleNode", "SetNode", "NdArrayNode",
    "RandomGeneratorNode", "MaskedArrayNode", "DTypeNode", "SparseMatrixNode", "QuantileForestNode", "BytesNode",
]  # fmt: skip
REACHED = [
    "evil.Evil", "this.s", "antigravity.fly", "os.system", "subprocess.Popen", "builtins.eval", "builtins.exec",
    "operator.methodcaller", "numpy.load", "joblib.memory.Memory", "sklearn.datasets._base.load_files",
    "sklearn.linear_model.evil.Evil", "numpy.evil.Evil", "sklearn.tree._tree.Tree.__reduce__",
]  # fmt: skip
BYPASS = """
import json, sys, threading
sys.path.insert(0, "")
import numpy as np, sklearn, skops.io
from mlopskit.builtin.skops import loader

archive, forged = json.load(open(sys.argv[1]))
spec = json.loads(sys.argv[2])
loader.load({"model.skops": bytes.fromhex(archive)}, spec)
before = set(sys.modules)
imported = []  # importlib tells the hook only when it runs a module's code
sys.addaudithook(lambda event, found: imported.append(str(found[0])) if event in ("import", "exec") else None)
seen = []
for data in forged:
    try:
        loader.load({"model.skops": bytes.fromhex(data)}, spec)
        seen.append("loaded")
    except ValueError as error:
        seen.append(str(error))
refused = [*imported, *(set(sys.modules) - before)]
try:  # what would happen if the list came from the file
    data = bytes.fromhex(forged[0])
    skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
except Exception as error:
    seen.append(repr(error))
print(json.dumps([seen, refused, any("evil.py" in found for found in imported) and "evil" in sys.modules]))
"""


def reaching(loader_name, name):
    """A node that reaches a name as well as this kind of node can."""
    inner = dict_of({}, [])
    made = node(loader_name, name, content=inner)
    if loader_name in ("LossNode", "TreeNode", "QuantileForestNode"):
        made["__reduce__"] = {"args": tuple_of()}
    if loader_name in ("FunctionNode", "TypeNode"):
        del made["content"]
    if loader_name in ("ListNode", "TupleNode", "SetNode", "ConstructorFromReduceNode"):
        made["content"] = []
    if loader_name == "MethodNode":
        made["content"] = {"func": "__reduce__", "obj": node("ObjectNode", name)}
    if loader_name == "PartialNode":
        made["content"] = {key: node("FunctionNode", name) for key in ("func", "args", "kwds", "namespace")}
    if loader_name == "OperatorFuncNode":
        made["attrs"] = made.pop("content")
    if loader_name == "DictNode":
        made["key_types"] = list_of()
    return made


def test_no_node_reaches_a_type_that_is_not_listed(archive, model, spec, child, forge, tmp_path):
    (tmp_path / "evil.py").write_text("class Evil: pass\n")
    forged = []
    for loader_name in KINDS:
        for name in REACHED:
            each = forge(archive)
            each.set("odd", reaching(loader_name, name))
            forged.append(each.data().hex())
    assert len(forged) > 200
    for name in REACHED:  # as a type where one stands already
        for path in ((), ("steps", 0, 1), ("steps", 1, 1, "coef_")):
            each = forge(archive)
            each.at(*path).update(node("ObjectNode", name) | {"__loader__": each.at(*path)["__loader__"]})
            forged.append(each.data().hex())
    (tmp_path / "forged.json").write_text(json.dumps([archive.hex(), forged]))
    seen, imported, sung = child(BYPASS, "forged.json", json.dumps(spec(model)))
    assert len(seen) == len(forged)
    assert "loaded" not in seen
    assert sum("a kind that could reach code" in said for said in seen) >= 7 * len(REACHED)
    assert imported == []
    assert sung, "the audit hook would not have seen it"


def test_there_is_no_way_to_trust_more(archive, model, spec):
    described = spec(model) | {"trusted": ["evil.Evil"], "trust": True}
    load(archive, described)
    with pytest.raises(TypeError):
        loader.load({"model.skops": archive}, described, trusted=["evil.Evil"])
    listed = loader.ESTIMATORS | loader.PARTS | loader.FUNCTIONS | loader.LOSSES
    assert all(name.startswith(("sklearn.", "numpy.")) for name in listed)
    assert frozenset().union(*loader.TYPES.values()) >= loader.TRUSTED


def test_the_version_that_stored_must_be_the_one_that_loads(archive, monkeypatch, refuses):
    monkeypatch.setattr(sklearn, "__version__", "9.9.9")
    refuses(archive, "stored with scikit-learn .* is installed")


def test_what_the_class_has_cannot_be_replaced(archive, forge, refuses, json_node):
    forged = forge(archive)
    forged.set("predict", node("FunctionNode", "numpy.exp"))
    refuses(forged.data(), "would replace what the class itself has")
    forged = forge(archive)
    forged.set("_validate_params", json_node(1), "steps", 1, 1)
    refuses(forged.data(), "model.steps.1..1.: LogisticRegression._validate_params")


def test_an_engine_that_is_missing_stays_an_import_error(archive, model, spec, monkeypatch):
    import skops.io

    def missing(*_args, **_options):
        raise ModuleNotFoundError(name="skops")

    monkeypatch.setattr(skops.io, "loads", missing)
    with pytest.raises(ModuleNotFoundError):
        load(archive, spec(model))


# --- trees (mutated models are asked in test_loader_mutations) ------------------------------------------------------


def grown(left=(1, -1, 3, -1, -1), right=(2, -1, 4, -1, -1), feature=(0, -2, 3, -2, -2)):
    return (np.array(left) == -1, np.array(left), np.array(right), np.array(feature), 4)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"left": (5, -1, 3, -1, -1)}, "outside"),
        ({"right": (-1, -1, 4, -1, -1)}, "outside"),
        ({"left": (0, -1, 3, -1, -1)}, "leads back"),
        ({"left": (1, -1, 2, -1, -1)}, "leads back"),
        ({"left": (2, -1, 3, -1, -1)}, "reached twice"),
        ({"feature": (4, -2, 3, -2, -2)}, "feature outside"),
        ({"feature": (0, -2, -1, -2, -2)}, "feature outside"),
    ],
)
def test_a_tree_goes_on_and_ends(changed, words):
    loader.check_nodes(*grown())
    loader.check_nodes(np.array([True]), np.array([-1]), np.array([-1]), np.array([-2]), 4)
    with pytest.raises(ValueError, match=words):
        loader.check_nodes(*grown(**changed))


@given(data=hypothesis.data())
def test_what_passes_ends_in_a_leaf_on_every_way(data):
    """Whatever the numbers: a table that is let through is walked to its end without leaving it."""
    size = data.draw(integers(1, 9))
    cells = lists(integers(-2, size + 1), min_size=size, max_size=size)
    left, right, feature = (np.array(data.draw(cells)) for _ in range(3))
    try:
        loader.check_nodes(left == -1, left, right, feature, 3)
    except ValueError:
        return
    for way in (left, right):
        place, steps = 0, 0
        while left[place] != -1:
            assert 0 <= feature[place] < 3
            place, steps = int(way[place]), steps + 1
            assert 0 <= place < size
            assert steps < size


@pytest.mark.parametrize(
    "changed",
    [
        {"sizes": (4, np.array([2]), 2)},
        {"sizes": (4, np.array([2.0]), 1)},
        {"sizes": (4, np.array([2, 2]), 1)},
        {"sizes": (4, np.array([0]), 1)},
        {"sizes": (0, np.array([2]), 1)},
        {"nodes": np.zeros(3)},
        {"values": np.zeros((2, 1, 2))},
        {"counts": (4, 1)},
        {"counts": (3, -1)},
        {"counts": (3, 3)},
    ],
)
def test_a_tree_has_the_sizes_it_says(changed, fitted):
    tree = fitted["tree"].tree_
    nodes = tree.__getstate__()["nodes"][:0]
    nodes = np.zeros(3, nodes.dtype)
    nodes["left_child"], nodes["right_child"] = [1, -1, -1], [2, -1, -1]
    fine = {"sizes": (4, np.array([2]), 1), "nodes": nodes, "values": np.zeros((3, 1, 2)), "counts": (3, 1)}
    loader.check_tree(*fine.values())
    with pytest.raises(ValueError, match="a tree"):
        loader.check_tree(*(fine | changed).values())


def test_a_tree_without_its_estimator_is_refused(archives, forge, refuses):
    each = forge(archives["tree"])
    each.set("estimators", list_of(each.at("tree_")))
    each.drop("tree_")
    refuses(each.data(), r"model\.estimators.0.: a tree outside of an estimator")


def test_a_tree_of_other_parts_is_refused(archives, forge, json_node, refuses):
    each = forge(archives["tree"])
    each.at("tree_")["__reduce__"]["args"]["content"].pop()
    refuses(each.data(), "something else than its sizes")
    each = forge(archives["tree"])
    each.at("tree_")["content"]["content"]["more"] = json_node(1)
    refuses(each.data(), "something else than nodes and values")


# --- parameters ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def text_model():
    return make_pipeline(CountVectorizer(), MultinomialNB()).fit(["good film", "bad film"], ["+", "-"])


READS = """
import json, sys
import sklearn.naive_bayes, sklearn.feature_extraction.text, skops.io
from mlopskit.builtin.skops import loader

opened = []
sys.addaudithook(lambda event, found: opened.append(str(found[0])) if event == "open" else None)
secret = sys.argv[1]
seen = []
for data in json.load(open("forged.json")):
    data = bytes.fromhex(data)
    try:
        scorer = loader.load({"model.skops": data}, json.loads(sys.argv[2]))
        scorer.score({"x0": [secret]})
        seen.append("answered")
    except ValueError as error:
        seen.append(str(error))
before = secret in opened
skops.io.loads(data).predict([secret])
print(json.dumps([seen, before, secret in opened]))
"""


def test_the_text_of_a_request_is_never_a_file_name(text_model, child, forge, json_node, spec, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("good")
    forged = []
    for value in ("file", "filename"):
        each = forge(canonical(text_model))
        each.set("input", json_node(value), "steps", 0, 1)
        forged.append(each.data().hex())
    (tmp_path / "forged.json").write_text(json.dumps(forged))
    seen, opened, sung = child(READS, secret, json.dumps(spec(text_model, "column", 1)))
    assert all('only "content" may be loaded' in said for said in seen), seen
    assert not opened
    assert sung, "skops alone would not have read it: then this test shows nothing"


def test_parameters_of_the_process_are_set_to_nothing(
    data, forge, json_node, tmp_path, monkeypatch, fitted, archives, spec
):
    monkeypatch.chdir(tmp_path)
    forged = forge(archives["forest"])
    forged.set("n_jobs", json_node(5000))
    forged.set("verbose", json_node(10))
    forged.set("memory", json_node("cache"))
    loaded = loader.load_estimator(forged.data())
    assert (loaded.n_jobs, loaded.verbose, loaded.memory) == (None, 0, None)
    scorer = load(forged.data(), spec(fitted["forest"]))
    columns = {f"x{number}": data[0][:, number].tolist() for number in range(4)}
    assert scorer.score(columns)["prediction"] == fitted["forest"].predict(data[0]).tolist()
    assert list(tmp_path.iterdir()) == []


def test_threads_stay_one_where_a_model_asks_for_many(data, forge, json_node, archives, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor
    from multiprocessing.pool import ThreadPool

    started = []
    for pool in (ThreadPool, ThreadPoolExecutor):
        monkeypatch.setattr(pool, "__init__", lambda *_args, **_options: started.append(1))
    forged = forge(archives["forest"])
    forged.set("n_jobs", json_node(5000))
    loader.load_estimator(forged.data()).predict(data[0])
    assert started == []


@pytest.mark.parametrize("count", [0, -1, 2**31, "many"])
def test_a_hashing_vectorizer_has_a_sound_size(count, forge, json_node, refuses):
    from sklearn.feature_extraction.text import HashingVectorizer

    model = make_pipeline(HashingVectorizer(n_features=16), LogisticRegression()).fit(["a b", "c d"], [0, 1])
    forged = forge(canonical(model))
    forged.set("n_features", json_node(count), "steps", 0, 1)
    refuses(forged.data(), "n_features")


@pytest.mark.parametrize("number", [10**9, -1, 0, 1.5, "1", None])
def test_a_vocabulary_numbers_its_terms(number, text_model, forge, json_node, refuses):
    forged = forge(canonical(text_model))
    forged.at("steps", 0, 1, "vocabulary_")["content"]["good"] = json_node(number)
    refuses(forged.data())


def test_a_polynomial_has_a_sound_degree(data, forge, json_node, refuses):
    features, labels = data
    forged = forge(canonical(make_pipeline(PolynomialFeatures(), LogisticRegression()).fit(features, labels)))
    forged.set("degree", json_node(10**9), "steps", 0, 1)
    refuses(forged.data(), "the degree 1000000000")


ENCODINGS = {
    "unsorted": lambda forged, _json, at: forged.put(at("categories_")["content"][0], np.array([3.0, 1.0, 2.0])),
    "fewer columns": lambda forged, json, at: at("_n_features_outs")["content"].__setitem__(0, json(1)),
    "drop outside": lambda forged, json, at: at("_drop_idx_after_grouping")["content"].__setitem__(0, json(9)),
    "grouped outside": lambda forged, _json, at: forged.put(
        at("_default_to_infrequent_mappings")["content"][0], np.array([0, 1, 900])
    ),
    "grouped shorter": lambda forged, _json, at: forged.put(
        at("_default_to_infrequent_mappings")["content"][0], np.array([0, 1])
    ),
}


@pytest.mark.parametrize("what", ENCODINGS)
def test_an_encoder_stays_inside_of_its_columns(what, forge, json_node, refuses):
    values = np.array([[1.0], [2.0], [3.0]] * 4 + [[1.0]])
    encoder = OneHotEncoder(min_frequency=2, drop="first") if "grouped" in what else OneHotEncoder(drop="first")
    if "grouped" in what:
        values = np.concatenate([values[:4], [[1.0]] * 9])
    model = make_pipeline(encoder, LogisticRegression()).fit(values, [0, 1] * 6 + [0])
    data = canonical(model)
    assert np.array_equal(loader.load_estimator(data).predict(values), model.predict(values))
    forged = forge(data)
    ENCODINGS[what](forged, json_node, lambda name: forged.at("steps", 0, 1, name))
    refuses(forged.data(), "OneHotEncoder")


# --- scoring ------------------------------------------------------------------------------------------------------

COLUMNS = {"n": [1, None], "t": ["a", None], "i": [1, 2], "b": [True, False], "m": [True, None]}
INPUTS = {
    "required": list(COLUMNS),
    "properties": {
        "n": {"type": ["number", "null"]},
        "t": {"type": ["string", "null"]},
        "i": {"type": "integer"},
        "b": {"type": "boolean"},
        "m": {"type": ["boolean", "null"]},
    },
}


def test_frames_have_the_types_of_the_schema():
    pandas = loader.to_frame(COLUMNS, INPUTS, "pandas")
    assert list(pandas) == list(COLUMNS)
    assert [str(kind) for kind in pandas.dtypes] == ["float64", "str", "int64", "bool", "object"]
    assert pandas.isna().to_numpy().tolist() == [[False] * 5, [True, True, False, False, True]]
    polars = loader.to_frame(COLUMNS, INPUTS, "polars")
    assert [str(kind) for kind in polars.dtypes] == ["Float64", "String", "Int64", "Boolean", "Boolean"]
    assert polars.null_count().row(0) == (1, 1, 0, 0, 1)
    rows = loader.to_frame(COLUMNS, INPUTS, "arrays")
    assert rows.dtype == object
    assert rows.tolist() == [[1, "a", 1, True, True], [None, None, 2, False, None]]
    numbers = {**INPUTS, "required": ["n", "i", "b"]}
    assert np.array_equal(loader.to_frame(COLUMNS, numbers, "arrays"), [[1, 1, 1], [np.nan, 2, 0]], equal_nan=True)
    column = loader.to_frame({"t": ["a", "b"]}, {**INPUTS, "required": ["t"]}, "column")
    assert (column.dtype, column.tolist()) == (object, ["a", "b"])
    with pytest.raises(ValueError, match="the frame 'sheet' is not known"):
        loader.to_frame(COLUMNS, INPUTS, "sheet")


def test_a_model_of_one_output_column_is_flattened(data, spec):
    from sklearn.linear_model import LinearRegression

    features, labels = data
    model = LinearRegression().fit(features, labels.reshape(-1, 1))
    scorer = load(canonical(model), spec(model))
    answers = scorer.score({f"x{number}": features[:3, number].tolist() for number in range(4)})
    assert answers["prediction"] == model.predict(features[:3]).ravel().tolist()


def test_text_labels_and_their_order_are_the_schemas(data, spec):
    features, labels = data
    model = SVC().fit(features, np.array(["no", "yes"])[labels])
    described = spec(model)
    assert described["schema"]["outputs"]["required"] == ["prediction"]
    assert set(load(canonical(model), described).score({f"x{n}": [0.9] for n in range(4)})["prediction"]) == {"yes"}


def test_text_vectorizers_do_not_look_at_their_stop_words_again(recwarn):
    texts = ["the good film", "the bad film"] * 3
    model = make_pipeline(TfidfVectorizer(stop_words=["the", "isn't"]), MultinomialNB())
    with pytest.warns(UserWarning, match="stop_words"):
        model.fit(texts, ["+", "-"] * 3)
    recwarn.clear()
    loader.load_estimator(canonical(model)).predict(texts)
    assert [str(warning.message) for warning in recwarn] == []
