"""Packages that were made to do harm, though whole by their digests: no function starts with one, or changes to one."""

import functools
import hashlib
import importlib
import json
import threading
from pathlib import Path

import pytest

from mlopskit.aliases import Alias
from mlopskit.builtin.skops.loader import container
from mlopskit.runtime import canonical
from mlopskit.runtime.errors import PackageError
from mlopskit.runtime.functions import Function
from mlopskit.runtime.names import hex_of
from mlopskit.storage import storage_at

TREE = "schema.json"
# What a zip holds a copy of.
LOADERS = {
    form: functools.partial(importlib.import_module, module)
    for form, module in (
        ("skops", "mlopskit.builtin.skops.loader"),
        ("onnx", "mlopskit_onnx.loader"),
        ("portable", "mlopskit.builtin.portable.loader"),
    )
}
BODY = json.dumps({"row": {"Comment": "The steak was bad!"}}).encode()
JSON = {"content-type": "application/json"}


def in_archive(old, new):
    def changed(data):
        tree = container.unpack(data)[TREE]
        return container.replaced(data, TREE, tree.replace(old, new))

    return changed


def in_bytes(old, new):
    return lambda data: data.replace(old, new)


HARMFUL = {
    "reads the files that rows name": (
        "skops",
        "model.skops",
        in_archive(rb'"content":"\"content\""', rb'"content":"\"filename\""'),
        'only "content" may be loaded',
    ),
    "brings a type of its own": (
        "skops",
        "model.skops",
        in_archive(b'"LogisticRegression"', b'"SystemExit"'),
        "not loaded",
    ),
    "computes for ever": ("onnx", "model.onnx", in_bytes(b"Cast", b"Loop"), "Loop"),
    "leads out of its tables": (
        "portable",
        "model.json",
        in_bytes(b'"ngrams":[1,2]', b'"ngrams":[2,1]'),
        "no range of n-grams",
    ),
}


def forged(package, into, file, change):
    """Write a copy of a package with a file changed, whole by its own digest; return that."""
    files = {path: (package.folder / path).read_bytes() for path in package.manifest["files"]}
    assert change(files[file]) != files[file], "nothing was changed: then this test shows nothing"
    files[file] = change(files[file])
    listed = {path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for path, data in files.items()}
    manifest = canonical.dumps({**package.manifest, "files": listed})
    digest = canonical.digest_of(manifest)
    for path, data in {**files, "manifest.json": manifest}.items():
        there = into / hex_of(digest) / path
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(data)
    return digest


@pytest.mark.parametrize("kind", HARMFUL)
def test_no_function_starts_with_it_or_changes_to_it(sentiment, tmp_path, kind):
    form, file, change, said = HARMFUL[kind]
    packages = tmp_path / "sentiment" / "packages"
    digest = forged(sentiment, packages, file, change)
    with pytest.raises(PackageError, match=said):
        Function(packages / hex_of(digest), digest=digest, format=form, loaders=LOADERS)
    Alias(storage_at(str(tmp_path)), "sentiment/aliases", "sentiment", "production").append(digest, after=None, why="")
    uri = f"{tmp_path}/sentiment@production"
    function = Function(Path(sentiment.folder), digest=sentiment.digest, format=form, uri=uri, trial=0, loaders=LOADERS)
    function._turns.wait = function._turns.waits = 60
    try:
        answer = function.respond("POST", "/predict", JSON, BODY)
        told = json.loads(function.respond("GET", "/metadata", {}, b"").body)
    finally:
        function.close()
    assert (answer.status, json.loads(answer.body)["digest"]) == (200, sentiment.digest)
    assert json.loads(answer.body)["row"]["prediction"] == "Negative"
    assert said in told["fault"]
    assert told["newest"] == digest


def test_what_a_model_says_of_processors_is_not_done(sentiment, tmp_path):
    jobs = in_archive(
        rb'"n_jobs":{"__class__":"str","__module__":"builtins","__loader__":"JsonNode","content":"null"',
        rb'"n_jobs":{"__class__":"str","__module__":"builtins","__loader__":"JsonNode","content":"5000"',
    )
    digest = forged(sentiment, tmp_path, "model.skops", jobs)
    function = Function(tmp_path / hex_of(digest), digest=digest, format="skops", loaders=LOADERS)
    before = threading.active_count()
    assert json.loads(function.respond("POST", "/predict", JSON, BODY).body)["row"]["prediction"] == "Negative"
    assert threading.active_count() <= before
