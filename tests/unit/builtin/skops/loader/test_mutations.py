"""Type-clean archives whose arrays lead compiled code astray: each is loaded and asked in its own process."""

import json

import numpy as np
import pytest
import scipy.sparse
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.svm import SVC, SVR

from mlopskit.builtin.skops.archive import canonical

FAR = 10**9

RUN = """
import json, os, signal, sys
import sklearn.ensemble, sklearn.neighbors, sklearn.svm, skops.io
from mlopskit.builtin.skops import loader
from mlopskit.builtin.skops.loader import audit, ensembles, objects

columns = {f"x{number}": [0.1, 0.5, 0.9] for number in range(4)}
said = {}
for number, (name, data, spec) in enumerate(json.load(open("forged.json"))):
    reader, writer = os.pipe()
    process = os.fork()
    if not process:
        signal.alarm(1)
        if name.startswith("unchecked"):
            audit.check_tree = ensembles.check_nodes = objects._check = lambda *_: None
        try:
            loader.load({"model.skops": bytes.fromhex(data)}, spec).score(columns)
            answer = "answered"
        except ValueError as error:
            answer = f"refused: {error}"
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode()[:4000])
        os._exit(0)
    os.close(writer)
    answer = b""
    while part := os.read(reader, 4096):
        answer += part
    os.close(reader)
    status = os.waitpid(process, 0)[1]
    signalled = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else ""
    said[name] = signalled or answer.decode()
print(json.dumps(said))
"""


# --- trees --------------------------------------------------------------------------------------------------------


def tree_cell(field, value, at=0):
    def mutate(forged, path, _json):
        node = forged.at(*path, "tree_", "nodes")
        nodes = forged.array(node)
        nodes[field][at] = value if not callable(value) else value(nodes)
        forged.put(node, nodes)

    return mutate


def inner(nodes):
    """The second node that is no leaf."""
    return int(np.flatnonzero(nodes["left_child"] != -1)[1])


def back_to_parent(forged, path, _json):
    node = forged.at(*path, "tree_", "nodes")
    nodes = forged.array(node)
    nodes["left_child"][inner(nodes)] = nodes["right_child"][inner(nodes)] = 0
    forged.put(node, nodes)


def tree_array(name, change):
    def mutate(forged, path, _json):
        node = forged.at(*path, "tree_", name)
        forged.put(node, change(forged.array(node)))

    return mutate


def tree_size(place, value):
    def mutate(forged, path, json):
        forged.at(*path, "tree_")["__reduce__"]["args"]["content"][place] = json(value)

    return mutate


def tree_state(name, value):
    return lambda forged, path, json: forged.at(*path, "tree_")["content"]["content"].update({name: json(value)})


def classes(values):
    def mutate(forged, path, _json):
        forged.put(forged.at(*path, "tree_")["__reduce__"]["args"]["content"][1], np.array(values))

    return mutate


def attribute(name, value):
    return lambda forged, path, json: forged.set(name, json(value), *path)


def without(name):
    return lambda forged, path, _json: forged.drop(name, *path)


TREE = {
    "child far away": tree_cell("left_child", FAR),
    "right child far away": tree_cell("right_child", FAR),
    "child one too far": tree_cell("left_child", len),
    "child negative": tree_cell("left_child", -5),
    "right child missing": tree_cell("right_child", -1),
    "child is itself": tree_cell("left_child", 0),
    "child is the parent": back_to_parent,
    "child of two": tree_cell("left_child", lambda nodes: nodes["right_child"][0]),
    "feature far away": tree_cell("feature", FAR),
    "feature one too far": tree_cell("feature", 4),
    "feature negative": tree_cell("feature", -1),
    "nodes cut": tree_array("nodes", lambda nodes: nodes[:2]),
    "nodes of numbers": tree_array("nodes", lambda nodes: nodes["left_child"].copy()),
    "no nodes": tree_array("nodes", lambda nodes: nodes[:0]),
    "values cut": tree_array("values", lambda values: values[:1]),
    "values of another width": tree_array("values", lambda values: values[:, :, :1].copy()),
    "more nodes said": tree_state("node_count", FAR),
    "depth said": tree_state("max_depth", -FAR),
    "more outputs said": tree_size(2, FAR),
    "more features said": tree_size(0, FAR),
    "fewer features said": tree_size(0, 1),
    "no features said": tree_size(0, 0),
    "more classes said": classes([FAR]),
    "no classes": classes([]),
    "other features in": attribute("n_features_in_", 2),
    "no features in": without("n_features_in_"),
}


# --- histogram boosting -------------------------------------------------------------------------------------------

STAGE = ("_predictors", 1, 0)


def stage_cell(field, value):
    def mutate(forged, _path, _json):
        node = forged.at(*STAGE, "nodes")
        nodes = forged.array(node)
        nodes[field][0] = value if not callable(value) else value(nodes)
        forged.put(node, nodes)

    return mutate


def stage_array(name, change):
    def mutate(forged, _path, _json):
        node = forged.at(*STAGE, name)
        forged.put(node, change(forged.array(node)))

    return mutate


def bins(forged, _path, _json):
    forged.put(forged.at("_bin_mapper", "is_categorical_"), np.ones(4, "uint8"))


def fewer_bins(forged, _path, _json):
    forged.at("_bin_mapper", "bin_thresholds_")["content"].pop()


def stage_of_text(forged, _path, json):
    forged.at("_predictors")["content"][0]["content"][0] = json("x")


def categorical_stages(forged, _path, _json):
    forged.set("is_categorical_", forged.add(np.ones(4, bool)))


BOOSTING = {
    "child far away": stage_cell("left", FAR),
    "right child far away": stage_cell("right", FAR),
    "child one too far": stage_cell("left", len),
    "child is itself": stage_cell("left", 0),
    "child of two": stage_cell("left", lambda nodes: nodes["right"][0]),
    "feature far away": stage_cell("feature_idx", FAR),
    "feature negative": stage_cell("feature_idx", -7),
    "categorical node": stage_cell("is_categorical", 1),
    "no nodes": stage_array("nodes", lambda nodes: nodes[:0]),
    "nodes cut": stage_array("nodes", lambda nodes: nodes[:2]),
    "nodes of numbers": stage_array("nodes", lambda nodes: nodes["value"].copy()),
    "bitsets of numbers": stage_array("raw_left_cat_bitsets", lambda bits: bits.astype("f8")),
    "bitsets flat": stage_array("raw_left_cat_bitsets", np.ravel),
    "bins categorical": bins,
    "bins fewer": fewer_bins,
    "categorical": categorical_stages,
    "a stage of text": stage_of_text,
    "in training": attribute("_in_fit", value=True),
    "stages of text": attribute("_predictors", "x"),
    "other features in": attribute("n_features_in_", 9),
    "no features in": without("n_features_in_"),
}


# --- gradient boosting --------------------------------------------------------------------------------------------


def first_stage(forged, _path, _json):
    forged.at("estimators_")["content"][0]["content"].pop()


def fewer_priors(forged, _path, _json):
    forged.put(forged.at("init_", "class_prior_"), np.array([1.0]))


def stage_is_text(forged, _path, json):
    forged.at("estimators_")["content"][1]["content"][2] = json("x")


GRADIENT = {
    "more columns said": attribute("n_trees_per_iteration_", 1),
    "a stage fewer": first_stage,
    "a stage of text": stage_is_text,
    "fewer columns to start with": fewer_priors,
    "another start": lambda forged, _path, json: forged.set("strategy", json("stratified"), "init_"),
    "a start of text": attribute("init_", "x"),
    "other features in": attribute("n_features_in_", 3),
    "a child far away": lambda forged, _path, json: TREE["child far away"](forged, ("estimators_", 0, 0), json),
    "more features in a stage": lambda forged, _path, json: forged.set("n_features_in_", json(5), "estimators_", 0, 0),
}


# --- support vector machines --------------------------------------------------------------------------------------


def changed(name, change):
    def mutate(forged, _path, _json):
        node = forged.at(name)
        if node["__loader__"] == "CachedNode":
            forged.set(name, forged.add(change(np.ones((1, 3)))))
        else:
            forged.put(node, change(forged.array(node)))

    return mutate


def first(value):
    def change(values):
        values = values.copy()
        values[0] = value
        return values

    return change


def replaced(name, values):
    return lambda forged, _path, _json: forged.set(name, forged.add(values))


MACHINE = {
    "more vectors said": changed("_n_support", first(FAR)),
    "negative count": changed("_n_support", first(-1)),
    "more classes said": changed("_n_support", lambda counts: np.repeat(counts, 2)),
    "counts of another type": changed("_n_support", lambda counts: counts.astype("i8")),
    "fewer vectors": changed("support_vectors_", lambda vectors: vectors[:2].copy()),
    "narrower vectors": changed("support_vectors_", lambda vectors: vectors[:, :2].copy()),
    "vectors of another type": changed("support_vectors_", lambda vectors: vectors.astype("f4")),
    "flat vectors": changed("support_vectors_", np.ravel),
    "fewer indices": changed("support_", lambda indices: indices[:1]),
    "fewer coefficients": replaced("_dual_coef_", np.ones((1, 1))),
    "more rows of coefficients": replaced("_dual_coef_", np.ones((3, 9))),
    "no intercept": replaced("_intercept_", np.ones(0)),
    "more intercepts": replaced("_intercept_", np.ones(7)),
    "probabilities of another length": changed("_probA", lambda _: np.ones(9)),
    "probabilities said": attribute("_effective_probability", value=True),
    "sparse said": attribute("_sparse", value=True),
    "sparse said in text": attribute("_sparse", "no"),
    "kernel of indices": attribute("kernel", "precomputed"),
    "kernel of text": attribute("kernel", "evil"),
    "more classes": changed("classes_", lambda labels: np.arange(len(labels) + 1)),
    "no classes": without("classes_"),
    "another kind of machine": attribute("_impl", "nu_svr"),
    "other features in": attribute("n_features_in_", 2),
    "no features in": without("n_features_in_"),
}


def sparse_machine(data, change):
    features, labels = data
    model = SVC().fit(scipy.sparse.csr_matrix(features), labels)
    change(model)
    return canonical(model)


def short_coefficients(model):
    model._dual_coef_ = scipy.sparse.csr_matrix(([1.0], [0], [0, 1]), shape=model._dual_coef_.shape)


def nothing(_model):
    pass


def dense_vectors(model):
    model.support_vectors_ = model.support_vectors_.toarray()


REGRESSION = {
    what: MACHINE[what] for what in ("fewer coefficients", "no intercept", "narrower vectors", "fewer indices")
}
REGRESSION["more counts"] = changed("_n_support", lambda counts: np.repeat(counts, 9))
REGRESSION["classes"] = replaced("classes_", np.arange(2))

# --- neighbours ---------------------------------------------------------------------------------------------------

NEIGHBORS = {
    "class far away": changed("_y", first(FAR)),
    "class negative": changed("_y", first(-1)),
    "fewer labels": changed("_y", lambda labels: labels[:3]),
    "labels in columns": changed("_y", lambda labels: labels.reshape(-1, 1)),
    "labels of numbers": changed("_y", lambda labels: labels.astype("f8")),
    "fewer classes": changed("classes_", lambda labels: labels[:1]),
    "narrower points": changed("_fit_X", lambda points: points[:, :2].copy()),
    "fewer points": changed("_fit_X", lambda points: points[:3]),
    "flat points": changed("_fit_X", np.ravel),
    "more points said": attribute("n_samples_fit_", FAR),
    "unknown search said": attribute("_fit_method", "auto"),
    "metric of indices": attribute("effective_metric_", "precomputed"),
    "metric of text": attribute("metric", "evil"),
    "other features in": attribute("n_features_in_", 2),
    "no features in": without("n_features_in_"),
}


def weights(forged, _path, json):
    node = forged.at("effective_metric_params_")
    node["content"]["w"] = json(1)
    node["key_types"]["content"].append({"__class__": "str", "__module__": "builtins", "__loader__": "TypeNode"})


# --- all of them, in one process that forks for each -----------------------------------------------------------------

NEIGHBORS["weights of the metric"] = weights
GROUPS = {
    "tree": ("tree", (), TREE),
    "forest": ("forest", ("estimators_", 1), TREE),
    "boosting": ("boosting", (), BOOSTING),
    "gradient": ("gradient", (), GRADIENT),
    "machine": ("machine", (), MACHINE),
    "regression machine": ("regression", (), REGRESSION),
    "neighbors": ("neighbors", (), NEIGHBORS),
}
CRASHING = {
    "child far away": ("tree", "SIGSEGV"),
    "feature far away": ("tree", "SIGSEGV"),
    "child is the parent": ("tree", "SIGALRM"),
    "child is itself": ("boosting", "SIGALRM"),
    "right child far away": ("boosting", "SIGSEGV"),
}


@pytest.fixture(scope="module")
def said(data, archives, fitted, spec, forge, json_node, module_child):
    features, labels = data
    gradient = GradientBoostingClassifier(n_estimators=2, random_state=0).fit(features, np.arange(120) % 3)
    models = {**fitted, "gradient": gradient, "regression": SVR().fit(features, labels)}
    stored = {**archives, "gradient": canonical(gradient), "regression": canonical(models["regression"])}
    asked = {}

    def add(name, group, what, path=(), mutate=None):
        each = forge(stored[group])
        if mutate:
            mutate(each, path, json_node)
        asked[f"{name}: {what}"] = each.data().hex(), spec(models[group])

    for name, (group, path, mutations) in GROUPS.items():
        add(name, group, "untouched")
        for what, mutate in mutations.items():
            add(name, group, what, path, mutate)
    for what, (group, _) in CRASHING.items():
        add("unchecked", group, what, (), GROUPS[group][2][what])
    for change in (nothing, short_coefficients, dense_vectors):
        asked[f"sparse: {change.__name__}"] = sparse_machine(data, change).hex(), spec(models["machine"])
    folder, child = module_child
    (folder / "forged.json").write_text(json.dumps([(name, *each) for name, each in asked.items()]))
    return child(RUN)


@pytest.mark.parametrize("group", GROUPS)
def test_mutated_models_are_refused(group, said):
    found = {name: answer for name, answer in said.items() if name.startswith(f"{group}: ")}
    assert found.pop(f"{group}: untouched") == "answered"
    assert found.keys() == {f"{group}: {what}" for what in GROUPS[group][2]}
    assert {what: answer for what, answer in found.items() if not answer.startswith("refused: ")} == {}
    assert not any("which nothing uses" in answer or "canonical" in answer for answer in found.values())


def test_mutated_sparse_machines_are_refused(said):
    assert said["sparse: nothing"] == "answered"
    assert "dual_coef_ has gaps" in said["sparse: short_coefficients"]
    assert "not as it says" in said["sparse: dense_vectors"]


def test_unchecked_trees_do_crash_and_hang(said):
    """What the checks are for: with them switched off, these same archives kill the process."""
    assert {what: said[f"unchecked: {what}"] for what in CRASHING} == {what: end for what, (_, end) in CRASHING.items()}
