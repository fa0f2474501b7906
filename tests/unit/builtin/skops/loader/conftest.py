"""A model, its archive, and nodes to put into it."""

import pytest

from mlopskit.builtin.skops import loader
from mlopskit.builtin.skops.archive import canonical


class Nodes:
    """Nodes of schema.json."""

    @staticmethod
    def node(loader_name, name, **more):
        module, _, last = name.rpartition(".")
        return {"__class__": last, "__module__": module, "__loader__": loader_name, **more}

    @classmethod
    def list_of(cls, *items, **more):
        return cls.node("ListNode", "builtins.list", content=list(items)) | more

    @classmethod
    def tuple_of(cls, *items):
        return cls.node("TupleNode", "builtins.tuple", content=list(items))

    @classmethod
    def dict_of(cls, content, types, **more):
        return cls.node("DictNode", "builtins.dict", content=content, key_types=cls.list_of(*types)) | more

    @classmethod
    def objects(cls, shape, *items):
        return cls.node("NdArrayNode", "numpy.ndarray", type="json", content=list(items), shape=shape)

    @classmethod
    def kind(cls, name, **more):
        return cls.node("TypeNode", f"builtins.{name}", **more)

    @classmethod
    def reference(cls, number):
        return cls.node("CachedNode", "builtins.list", __id__=number)

    @classmethod
    def nested(cls, depth, leaf):
        for _ in range(depth):
            leaf = cls.list_of(leaf)
        return leaf


@pytest.fixture(scope="session")
def make(json_node):
    made = Nodes()
    made.json = json_node
    return made


@pytest.fixture(scope="session")
def load():
    return lambda data, spec: loader.load({"model.skops": data}, spec)


@pytest.fixture(scope="session")
def model(data):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression()).fit(*data)


@pytest.fixture(scope="session")
def archive(model):
    return canonical(model)


@pytest.fixture
def refuses(model, spec, load):
    def check(data, words=None):
        with pytest.raises(ValueError, match=words):
            load(data, spec(model))

    return check
