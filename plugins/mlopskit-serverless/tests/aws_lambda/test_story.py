"""A function's life by the commands: deployed, a bad one refused, replaced, rolled back; and no secret in any of it."""

from __future__ import annotations

import hashlib
import json
import logging

import pytest

import mlopskit as mk
from mlopskit.cli import main
from mlopskit.errors import VerificationError
from mlopskit.runtime import canonical
from mlopskit.testing.packages import NAME

PRIVATE = [".env", ".aws/credentials", "id_rsa"]


def bad(package, folder):
    """Return a package whose golden rows are not what its model answers."""
    files = {name: (package.folder / name).read_bytes() for name in package.manifest["files"]}
    golden = files["golden.jsonl"]
    files["golden.jsonl"] = (
        golden.replace(b'"above"', b'"x"').replace(b'"below"', b'"above"').replace(b'"x"', b'"below"')
    )
    listed = {name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for name, data in files.items()}
    manifest = canonical.dumps({**package.manifest, "files": listed})
    for name, data in {**files, "manifest.json": manifest}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return mk.ModelPackage.open(folder, digest=canonical.digest_of(manifest))


@pytest.fixture
def project(tmp_path, monkeypatch, made, pair):
    """A project with three packages in its registry; the second answers otherwise than it says."""
    folder = tmp_path / "project"
    folder.mkdir()
    endpoint = made()
    options = {name: getattr(endpoint, name) for name in ("function", "region", "role", "endpoint_url")}
    lines = [f'name = "{NAME}"', "[data]", 'uri = "x.csv"', 'target = "label"', "[train]", 'estimator = "x:y"']
    lines += ["[evaluate]", 'gates = ["accuracy >= 0.5"]', "[endpoint.production]", 'target = "aws-lambda"']
    lines += [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    (folder / "mlopskit.toml").write_text("\n".join(lines))
    for name in PRIVATE:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("private-file-canary")
    monkeypatch.chdir(folder)
    registry = mk.Registry.at(folder / ".mlopskit/registry")
    packages = [pair[0], bad(pair[0], tmp_path / "bad"), pair[1]]
    passed = mk.Finding(gate="accuracy >= 0.5", passed=True, reached=1.0, n=35, reason="the test judges it")
    for one in packages:
        registry.add(one)
        registry.add_verdict(mk.Verdict(name=NAME, digest=one.digest, dataset="", findings=(passed,)))
    return endpoint, packages


def run(*arguments):
    """Return how a command ends."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    return ended.value.code


def deployed(package, why):
    return run("deploy", "production", package.digest, "--why", why)


def shown(capfd, *arguments):
    capfd.readouterr()
    assert run(*arguments) == 0
    return capfd.readouterr().out


def test_the_log_tells_the_story(project, cloud, caplog, capfd):
    """One that is deployed, one that answers otherwise and is refused, one more, and the way back."""
    endpoint, (one, two, three) = project
    caplog.set_level(logging.INFO, logger="mlopskit")

    def live():
        found = cloud.client("lambda").get_alias(FunctionName=endpoint.function, Name="production")
        return {name: found[name] for name in ("FunctionVersion", "Description", "RevisionId")}

    assert deployed(one, "the first") == 0
    first = live()
    assert first["Description"].endswith(" the first")
    assert deployed(two, "a bad one") == VerificationError.exit_code == 1
    assert live() == first
    assert "answered" in capfd.readouterr().err
    assert deployed(three, "the third") == 0
    assert live()["FunctionVersion"] == "3"
    assert run("rollback", "production", "--why", "fewer complaints") == 0
    assert live()["FunctionVersion"] == first["FunctionVersion"]

    told = json.loads(shown(capfd, "history", "production", "--json"))
    assert [(row["package"], row["rollback"], row["why"]) for row in told] == [
        (one.digest, False, "the first"),
        (three.digest, False, "the third"),
        (one.digest, True, "fewer complaints"),
    ]
    (place,) = json.loads(shown(capfd, "status", "--json"))["places"]
    assert (place["package"], place["state"]) == (one.digest, "live")
    said = [record.getMessage() for record in caplog.records if record.name == "mlopskit"]
    what, back = f"deploy {NAME} to production", f"roll back {NAME} to production"
    steps = ["verdict", "check", "check", "build", "push", "verify before the switch"]
    switched = [*steps, "activate", "verify after the switch", "record"]
    passed = [line for line in said if line.startswith((what, back)) and line.rpartition(": ")[2] in switched]
    assert passed == [
        *(f"{what}: {step}" for step in [*switched, *steps, *switched]),
        *(f"{back}: {step}" for step in switched),
    ]


def test_no_secret_is_anywhere(project, cloud, caplog, capfd, tmp_path):
    """Through a deployment and its failures, with everything logged that this project logs."""
    endpoint, (one, two, _) = project
    caplog.set_level(logging.DEBUG, logger="mlopskit")
    assert deployed(one, "the first") == 0
    assert deployed(two, "a bad one") == 1
    for status, code in ((403, "AccessDeniedException"), (429, "TooManyRequestsException")):
        cloud.fail({"status": status, "code": code, "times": 1000, "method": "GET", "path": "aliases"})
        assert run("--debug", "status") in (0, 3)
        assert run("--debug", "deploy", "production", one.digest) == 3
    cloud.fail()
    run("build", "production", one.digest, "--into", str(tmp_path / "built"))
    version = cloud.client("lambda").get_function(FunctionName=endpoint.function)
    captured = capfd.readouterr()
    texts = [caplog.text, captured.out, captured.err, repr(endpoint), json.dumps(version, default=str)]
    held = [
        path for path in tmp_path.rglob("*") if path.is_file() and path.name not in {".env", "credentials", "id_rsa"}
    ]
    assert any(path.name == "function.zip" for path in held)
    data = b"\n".join([*(text.encode() for text in texts), *(path.read_bytes() for path in held)])
    for secret in (b"secret-key-canary", b"session-token-canary", b"private-file-canary"):
        assert secret not in data
