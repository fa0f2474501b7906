"""Models, their archives, and a way to forge archives."""

import functools
import io
import json
import subprocess
import sys

import numpy as np
import pytest

from mlopskit.builtin.skops.archive import canonical
from mlopskit.builtin.skops.loader.container import deflate, pack, unpack
from mlopskit.builtin.skops.loader.nodes import SCHEMA

COUNT = 4


class Forgery:
    """An archive taken apart, to be put together differently."""

    def __init__(self, data):
        self.members = dict(unpack(data))
        self.root = json.loads(self.members.pop(SCHEMA))

    def at(self, *path, node=None):
        node = node or self.root
        for step in path:
            content = node["content"]
            if node["__loader__"] in ("ObjectNode", "TreeNode"):
                content = content["content"]
            node = content[step]
        return node

    def attributes(self, *path):
        """The attributes of an object as a dict of nodes and the list of their key types."""
        state = self.at(*path)["content"]
        return state["content"], state["key_types"]["content"]

    def set(self, name, node, *path):
        content, types = self.attributes(*path)
        if name not in content:
            types.append({"__class__": "str", "__module__": "builtins", "__loader__": "TypeNode"})
        content[name] = node

    def drop(self, name, *path):
        content, types = self.attributes(*path)
        del content[name]
        types.pop()

    def array(self, node):
        return np.load(io.BytesIO(self.members[node["file"]]), allow_pickle=False)

    def put(self, node, values):
        stream = io.BytesIO()
        np.save(stream, values, allow_pickle=False)
        self.members[node["file"]] = stream.getvalue()

    def add(self, values):
        """Return a node of a new array."""
        node = {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy"}
        node["file"] = f"{len(self.members) + 100}.npy"
        self.put(node, values)
        return node

    def data(self):
        schema = json.dumps(self.root).encode()
        used = [(name, data) for name, data in self.members.items() if f'"{name}"'.encode() in schema]
        return pack(deflate(*item) for item in [*used, (SCHEMA, schema)])


def plain(value):
    """Return the node of a number or text."""
    return {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps(value)}


def spec_of(model, frame="arrays", count=COUNT):
    outputs = ["prediction"]
    if hasattr(model, "predict_proba"):
        outputs += [f"probability.{label}" for label in model.classes_.tolist()]
    names = [f"x{number}" for number in range(count)]
    inputs = {"type": "object", "required": names, "properties": {name: {"type": "number"} for name in names}}
    return {"schema": {"inputs": inputs, "outputs": {"required": outputs}}, "task": "binary", "frame": frame}


@pytest.fixture(scope="session")
def data():
    random = np.random.default_rng(0)
    features = random.random((120, COUNT))
    return features, (features[:, 0] + features[:, 1] > 1).astype(int)


@pytest.fixture(scope="session")
def fitted(data):
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    models = {
        "tree": DecisionTreeClassifier(random_state=0),
        "forest": RandomForestClassifier(3, random_state=0),
        "boosting": HistGradientBoostingClassifier(max_iter=3, random_state=0),
        "machine": SVC(),
        "neighbors": KNeighborsClassifier(algorithm="brute"),
    }
    return {name: model.fit(*data) for name, model in models.items()}


@pytest.fixture(scope="session")
def archives(fitted):
    return {name: canonical(model) for name, model in fitted.items()}


@pytest.fixture(scope="session")
def forge():
    return Forgery


@pytest.fixture(scope="session")
def json_node():
    return plain


@pytest.fixture(scope="session")
def spec():
    return spec_of


@pytest.fixture
def child(tmp_path):
    """Run a script in a process of its own, in an empty folder; return what it printed as JSON."""
    return functools.partial(run_child, tmp_path)


@pytest.fixture(scope="module")
def module_child(tmp_path_factory):
    folder = tmp_path_factory.mktemp("child")
    return folder, functools.partial(run_child, folder)


def run_child(folder, script, *arguments, env=None, timeout=120):
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=folder,
        env=env,
        capture_output=True,
        timeout=timeout,
        check=False,
        text=True,
    )
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr[-2000:]}"
    return json.loads(done.stdout.splitlines()[-1])
