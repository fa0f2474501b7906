"""Nodes that are not as skops writes them, and names that are not on the list."""

import json

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression

from mlopskit.builtin.skops.archive import canonical
from mlopskit.builtin.skops.loader.estimator import load_estimator

TREE = "sklearn.tree._tree.Tree"
MALFORMED = {
    "no content": lambda make: {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode"},
    "more keys": lambda make: make.json(1) | {"more": 1},
    "no class": lambda make: {"__loader__": "JsonNode", "content": "1"},
    "a number for a node": lambda make: 1,
    "a list for a node": lambda make: [],
    "a list for a kind": lambda make: make.json(1) | {"__loader__": []},
    "json that is no text": lambda make: make.json(1) | {"content": 1},
    "json of more": lambda make: make.json(1) | {"content": "[1]"},
    "json that is none": lambda make: make.json(1) | {"content": "1 2"},
    "json with a huge number": lambda make: make.json(1) | {"content": "9" * 5000},
    "json with an id": lambda make: make.json(1) | {"__id__": 3},
    "content of a list": lambda make: make.list_of() | {"content": {}},
    "an id of text": lambda make: make.list_of(__id__="1"),
    "an id of true": lambda make: make.list_of(__id__=True),
    "an id of zero": lambda make: make.list_of(__id__=0),
    "an id taken": lambda make: make.list_of(make.list_of(__id__=5), make.list_of(__id__=5)),
    "a reference to nothing": lambda make: make.reference(99),
    "a reference to text": lambda make: make.reference("99"),
    "a reference of another class": lambda make: make.list_of(
        make.list_of(__id__=5), make.reference(5) | {"__class__": "set"}
    ),
    "a reference with content": lambda make: make.list_of(make.list_of(__id__=5), make.reference(5) | {"content": []}),
    "a dict without types": lambda make: make.dict_of({"a": make.json(1)}, []),
    "a dict with types of another list": lambda make: make.dict_of({}, []) | {"key_types": make.tuple_of()},
    "a dict with types of a module": lambda make: (
        make.dict_of({}, []) | {"key_types": make.list_of() | {"__module__": "evil"}}
    ),
    "a dict with types that have an id": lambda make: make.dict_of({}, []) | {"key_types": make.list_of(__id__=3)},
    "a dict with an odd key": lambda make: make.dict_of({"a": make.json(1)}, [make.kind("eval")]),
    "a dict with keys of null": lambda make: make.dict_of({"a": make.json(1)}, [make.kind("NoneType")]),
    "a key type with content": lambda make: make.dict_of({"a": make.json(1)}, [make.kind("str", content=1)]),
    "a key type with an id of text": lambda make: make.dict_of({"a": make.json(1)}, [make.kind("str", __id__="a")]),
    "a key type that is a reference to a list": lambda make: make.list_of(
        make.list_of(__id__=5), make.dict_of({"a": make.json(1)}, [make.reference(5)])
    ),
    "a dict of a class": lambda make: make.dict_of({}, [], __class__="Evil", __module__="evil"),
    "an object of a list": lambda make: make.node("ObjectNode", "sklearn.pipeline.Pipeline", content=make.list_of()),
    "an object of another dict": lambda make: make.node(
        "ObjectNode", "sklearn.pipeline.Pipeline", content=make.dict_of({}, [], __module__="evil")
    ),
    "an object with numbers for names": lambda make: make.node(
        "ObjectNode", "sklearn.pipeline.Pipeline", content=make.dict_of({"1": make.json(1)}, [make.kind("int")])
    ),
    "an object of another version": lambda make: make.node(
        "ObjectNode",
        "sklearn.pipeline.Pipeline",
        content=make.dict_of({"_sklearn_version": make.json("0.1")}, [make.kind("str")]),
    ),
    "an array of an odd type": lambda make: (
        make.objects(make.tuple_of(make.json(1)), make.json(1)) | {"type": "pickle"}
    ),
    "an array whose file is missing": lambda make: {
        **make.node("NdArrayNode", "numpy.ndarray"),
        "type": "numpy",
        "file": "77.npy",
    },
    "an array whose file is the schema": lambda make: {
        **make.node("NdArrayNode", "numpy.ndarray"),
        "type": "numpy",
        "file": "schema.json",
    },
    "an array whose file is used": lambda make: {
        **make.node("NdArrayNode", "numpy.ndarray"),
        "type": "numpy",
        "file": "0.npy",
    },
    "objects of another shape": lambda make: make.objects(make.tuple_of(make.json(2)), make.json(1)),
    "objects of no shape": lambda make: make.objects(make.tuple_of()),
    "objects of a shape of text": lambda make: make.objects(make.tuple_of(make.json("2")), make.json(1)),
    "objects with a shape of a module": lambda make: make.objects(
        make.tuple_of(make.json(1)) | {"__module__": "evil"}, make.json(1)
    ),
    "objects with a shape of a list": lambda make: make.objects(make.list_of(make.json(1)), make.json(1)),
    "objects of two dimensions that are not": lambda make: make.objects(
        make.tuple_of(make.json(1), make.json(2)), make.list_of(make.json(1))
    ),
    "objects of two dimensions, shared": lambda make: make.objects(
        make.tuple_of(make.json(2), make.json(1)), make.list_of(make.json(1), __id__=8), make.reference(8)
    ),
    "objects of two dimensions, deeper": lambda make: make.objects(
        make.tuple_of(make.json(1), make.json(1)), make.list_of(make.list_of(make.json(1)))
    ),
    "a sparse matrix of another type": lambda make: {
        **make.node("SparseMatrixNode", "scipy.sparse._csr.csr_matrix"),
        "type": "numpy",
        "file": "0.npz",
    },
    "a sparse matrix of an array": lambda make: {
        **make.node("SparseMatrixNode", "scipy.sparse._csr.csr_matrix"),
        "type": "scipy",
        "file": "0.npy",
    },
    "a dtype of a number": lambda make: make.node("DTypeNode", "numpy.dtype", content=make.json(1)),
    "a frozenset of a number": lambda make: make.node(
        "ConstructorFromReduceNode", "builtins.frozenset", content=make.tuple_of(make.json(1))
    ),
    "a frozenset of a list": lambda make: make.node(
        "ConstructorFromReduceNode", "builtins.frozenset", content=make.list_of()
    ),
    "a loss with a state": lambda make: make.node(
        "LossNode",
        "sklearn.linear_model._sgd_fast.Hinge",
        content=make.tuple_of(make.json(1)),
        __reduce__={"args": make.tuple_of()},
    ),
    "a loss of text": lambda make: make.node(
        "LossNode",
        "sklearn.linear_model._sgd_fast.Hinge",
        content=make.tuple_of(),
        __reduce__={"args": make.tuple_of(make.json("a"))},
    ),
    "a loss of more": lambda make: make.node(
        "LossNode",
        "sklearn.linear_model._sgd_fast.Hinge",
        content=make.tuple_of(),
        __reduce__={"args": make.tuple_of(), "more": 1},
    ),
    "a random state of nothing": lambda make: make.node(
        "RandomStateNode", "numpy.random.mtrand.RandomState", content=make.dict_of({}, [])
    ),
    "a slice of text": lambda make: make.node(
        "SliceNode", "builtins.slice", content={"start": "a", "stop": None, "step": None}
    ),
    "a slice of two": lambda make: make.node("SliceNode", "builtins.slice", content={"start": 1, "stop": None}),
    "a tree elsewhere": lambda make: make.node(
        "TreeNode",
        TREE,
        content=make.dict_of({}, []),
        __reduce__={"args": make.tuple_of(make.json(1), make.json(1), make.json(1))},
    ),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_node_is_refused_with_its_place(what, archive, forge, refuses, make):
    forged = forge(archive)
    forged.set("odd", MALFORMED[what](make))
    refuses(forged.data(), r"model\.odd|key")


def test_a_number_is_one(archive, forge, refuses):
    forged = forge(archive)
    forged.set("odd", forged.add(np.ones(3)) | {"__class__": "float64"})
    refuses(forged.data(), "a single float64 of shape")


def test_a_list_that_contains_itself_is_refused(archive, forge, make, refuses):
    forged = forge(archive)
    forged.set("odd", make.list_of(make.reference(7), __id__=7))
    refuses(forged.data(), "not defined before")


def test_what_a_model_may_hold_is_loaded(archive, forge, make):
    forged = forge(archive)
    state = np.random.RandomState(3)
    forged.set("more", make.list_of(make.list_of(make.json(1), __id__=5), make.reference(5)))
    forged.set("part", make.node("SliceNode", "builtins.slice", content={"start": 1, "stop": None, "step": None}))
    loaded = load_estimator(forged.data())
    assert loaded.more[0] is loaded.more[1]
    assert loaded.part == slice(1, None, None)
    model = LogisticRegression(random_state=state).fit([[0.0], [1.0]], [0, 1])
    model.words = frozenset({"a", "b"})
    model.kinds = [np.dtype("float32"), np.float64, {"a", "b"}]
    loaded = load_estimator(canonical(model))
    assert loaded.random_state.rand() == np.random.RandomState(3).rand()
    assert (loaded.words, loaded.kinds) == (model.words, model.kinds)


def test_a_random_state_that_reads_beyond_its_key_is_refused(forge, refuses, make):
    model = LogisticRegression(random_state=np.random.RandomState(3)).fit([[0.0], [1.0]], [0, 1])
    forged = forge(canonical(model))
    state = forged.at("random_state")["content"]["content"]["state"]["content"]
    state["pos"] = make.json(10**6)
    refuses(forged.data(), "a random state that is none")


def test_the_version_that_stored_must_be_the_one_that_loads(archive, monkeypatch, refuses):
    monkeypatch.setattr(sklearn, "__version__", "9.9.9")
    refuses(archive, "stored with scikit-learn .* is installed")


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


def reaching(make, loader_name, name):
    """A node that reaches a name as well as this kind of node can."""
    inner = make.dict_of({}, [])
    made = make.node(loader_name, name, content=inner)
    if loader_name in ("LossNode", "TreeNode", "QuantileForestNode"):
        made["__reduce__"] = {"args": make.tuple_of()}
    if loader_name in ("FunctionNode", "TypeNode"):
        del made["content"]
    if loader_name in ("ListNode", "TupleNode", "SetNode", "ConstructorFromReduceNode"):
        made["content"] = []
    if loader_name == "MethodNode":
        made["content"] = {"func": "__reduce__", "obj": make.node("ObjectNode", name)}
    if loader_name == "PartialNode":
        made["content"] = {key: make.node("FunctionNode", name) for key in ("func", "args", "kwds", "namespace")}
    if loader_name == "OperatorFuncNode":
        made["attrs"] = made.pop("content")
    if loader_name == "DictNode":
        made["key_types"] = make.list_of()
    return made


def test_no_node_reaches_a_type_that_is_not_listed(archive, model, spec, child, forge, make, tmp_path):
    (tmp_path / "evil.py").write_text("class Evil: pass\n")
    forged = []
    for loader_name in KINDS:
        for name in REACHED:
            each = forge(archive)
            each.set("odd", reaching(make, loader_name, name))
            forged.append(each.data().hex())
    assert len(forged) > 200
    for name in REACHED:  # as a type where one stands already
        for path in ((), ("steps", 0, 1), ("steps", 1, 1, "coef_")):
            each = forge(archive)
            each.at(*path).update(make.node("ObjectNode", name) | {"__loader__": each.at(*path)["__loader__"]})
            forged.append(each.data().hex())
    (tmp_path / "forged.json").write_text(json.dumps([archive.hex(), forged]))
    seen, imported, sung = child(BYPASS, "forged.json", json.dumps(spec(model)))
    assert len(seen) == len(forged)
    assert "loaded" not in seen
    assert sum("a kind that could reach code" in said for said in seen) >= 7 * len(REACHED)
    assert imported == []
    assert sung, "the audit hook would not have seen it"
