"""Models change while callers ask without a pause: each answer is of the digest it names, and no bad one answers."""

import io
import json
import time
import zipfile
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit.testing.packages import NAME, shared_packages

ROWS = [{"height": height / 4, "weight": weight} for height in range(-6, 7, 3) for weight in range(-3, 4)]
MEMORY = ("--trial-memory", "1024")
PATIENCE = 900  # a package that is good may be tried several times, where a machine has much else to do
TRANSFORM = b"        return X / 2\n"
OTHERWISE = {
    "slow": b"        import time\n        time.sleep(300)\n",
    "endless": b"        while True:\n            pass\n",
    "out of memory": b"        bytearray(4 << 30)\n",
    "ends the process": b"        import os\n        os.kill(os.getpid(), 11)\n",
}
IN_TIME = "did not answer within"
# What is told of each, unless the machine was too slow for it.
SAID = {
    "wrong bytes": "has 2 bytes",
    "golden rows differ": "golden rows otherwise here",
    "refused type": "was not loaded",
    "schema changed": "has other inputs",
    "slow": IN_TIME,
    "endless": IN_TIME,
    "out of memory": "MemoryError",
    "ends the process": "ended with",
}


@pytest.fixture
def packages(tmp_path_factory):
    """Real packages: two of tables and skops, and one whose code travels with it."""
    root = shared_packages(tmp_path_factory)
    return {name: root / name for name in ("one", "other", "own")}


@pytest.fixture
def place(packages, tools, tmp_path):
    return tools.Shop(tmp_path, NAME)


def skops_alone(package):
    manifest = json.loads((package / "manifest.json").read_bytes())
    return [one for one in manifest["models"] if one["format"] == "skops"]


def good_ones(place, packages):
    """Return good packages, with their answers: of tables, and of scikit-learn alone."""
    found = [place.changed(packages[name], {"README.md": note}) for name in ("one", "other") for note in (b"1", b"2")]
    found += [place.changed(packages["one"], models=skops_alone(packages["one"]))]
    answers = {}
    for digest in found:
        model = mk.load(place.path(digest), digest=digest)
        answers[digest] = model.predict(ROWS)
    assert answers[found[0]] != answers[found[2]]
    return answers


def bad_ones(place, packages):
    """Return a bad package of each kind."""
    one, own = packages["one"], packages["own"]
    golden = (one / "golden.jsonl").read_bytes().replace(b'"above"', b'"x"').replace(b'"below"', b'"above"')
    schema = json.loads((one / "manifest.json").read_bytes())["schema"]
    schema["inputs"]["properties"]["weight"] = {"type": "number"}
    found = {
        "wrong bytes": place.changed(one, {"README.md": b"3"}),
        "golden rows differ": place.changed(one, {"golden.jsonl": golden}),
        "refused type": place.changed(one, {"model.skops": refused(one)}, models=skops_alone(one)),
        "schema changed": place.changed(one, schema=schema),
    }
    (place.path(found["wrong bytes"]) / "model.json").write_bytes(b"{}")
    (code,) = (path.relative_to(own).as_posix() for path in own.glob("code/*.py"))
    for kind, instead in OTHERWISE.items():
        source = (own / code).read_bytes()
        assert TRANSFORM in source
        found[kind] = place.changed(own, {code: source.replace(TRANSFORM, instead + TRANSFORM)})
    return found


def refused(package: Path) -> bytes:
    """Return a package's stored model with a type in it that is not to be loaded."""
    written = io.BytesIO()
    with zipfile.ZipFile(package / "model.skops") as before, zipfile.ZipFile(written, "w") as after:
        for name in before.namelist():
            after.writestr(name, before.read(name).replace(b'"LogisticRegression"', b'"SGDClassifier2"'))
    return written.getvalue()


def swapped(server, load, place, digests, moves):
    """Move the alias to one digest after the other; each answers before the next."""
    for number in range(moves):
        digest = digests[number % len(digests)]
        if load.last != digest:
            place.move(digest)
            server.until(lambda digest=digest: load.last == digest, PATIENCE)


def kept_out(server, load, place, kind, digest, trials):
    """Move the alias to a bad package, and wait until it is told why that is not taken; return what was said."""
    begun = len(trials.seen)
    place.move(digest)
    said = server.until(lambda: told(server, digest), PATIENCE)
    assert SAID[kind] in said or IN_TIME in said, (kind, said)
    assert server.ask("/health/ready")[2]["status"] == "degraded"
    assert digest not in load.seen
    return len(trials.seen) - begun


def told(server, digest):
    about = server.ask("/metadata")[2]
    return about["fault"] if about["fault"] and about["newest"] == digest else None


def through(start, tools, place, packages, log, *, requests, swaps, seconds, pause, every=None):
    """Ask so many requests while the models are swapped; return figures.

    Before one bad package in four, if `every` says which, comes a good one of scikit-learn alone, whose trial takes
    longer than the few seconds that are given where slow and endless ones are waited for.
    """
    good, bad = good_ones(place, packages), bad_ones(place, packages)
    asked = [json.dumps({"row": row}).encode() for row in ROWS]
    trusted = [part for kind in OTHERWISE for part in ("--trust-code", bad[kind])]
    *tables, alone = good
    first, moves = tables[0], swaps // len(bad) - 1  # the last one of each round is bad
    place.move(first)
    with start(f"{place.folder}@production", *MEMORY, "--trial-seconds", seconds, *trusted, log=log) as server:
        (worker,) = tools.children(server.process.pid)
        with tools.Load(server.port, asked, good, pause=pause) as load, tools.Trials(worker) as trials:
            server.until(lambda: len(load.times) >= requests / 10, PATIENCE)
            calm = [*load.times]
            for number, (kind, digest) in enumerate(bad.items()):
                swapped(server, load, place, tables[number % 2 :], moves)
                if number % 4 == every:
                    swapped(server, load, place, [alone], 1)
                kept_out(server, load, place, kind, digest, trials)
            tried = len(trials.seen)
            time.sleep(3)  # the last bad one stands there, and is left alone for growing pauses
            assert len(trials.seen) - tried <= 6
            assert server.ask("/metadata")[2]["tries"] >= 1
            place.move(first)
            server.until(lambda: server.ask("/metadata")[2]["fault"] is None, PATIENCE)
            server.until(lambda: len(load.times) >= requests, PATIENCE)
    said = log.read_text()
    assert [kind for kind, digest in bad.items() if f"{digest} was not taken" not in said] == []
    swapping = load.times[len(calm) :]
    ratio = tools.percentile(swapping, 0.99) / tools.percentile(calm, 0.99)
    return load, len(bad), len(trials.seen), ratio, len(place.records)


def test_models_change_under_load_and_bad_ones_of_each_kind_are_kept_out(start, tools, place, packages, tmp_path):
    load, kinds, *_ = through(
        start, tools, place, packages, tmp_path / "log", requests=4000, swaps=16, seconds="8", pause=0.02
    )
    assert (load.wrong, load.lost) == ([], 0)
    assert kinds == 8
    assert set(load.seen) <= set(load.good)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_hundred_thousand_requests_under_two_hundred_swaps(start, tools, place, packages, tmp_path, record_property):
    load, kinds, trials, ratio, swaps = through(
        start, tools, place, packages, tmp_path / "log", requests=100_000, swaps=216, seconds="60", pause=0.0, every=0
    )
    assert (load.wrong, load.lost) == ([], 0)
    assert len(load.times) >= 100_000
    assert swaps >= 200
    said = f"{len(load.times):,} requests from 8 clients: {load.lost} failed, {len(load.wrong)} wrong; "
    record_property(f"figure: {swaps} swaps under load", f"{said}{kinds} of {kinds} kinds kept out, {trials} trials")
    record_property("figure: p99 while models are swapped, to that without", round(ratio, 1))
