"""What a bundle for a device holds: the model, what answers from it, a self-test, and how it is used."""

from __future__ import annotations

import pprint
import string
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from mlopskit import ModelPackage, runtime_files

PACKAGE = "package"
SITE = "site"
MAIN = "__main__.py"
VECTORS = "use/vectors.jsonl"
# By the path in the bundle, the template that stands there as it is.
_SCRIPTS = {MAIN: "main.py", **{name: name for name in ("model.py", "selftest.py", "agent.py", "slots.py", "trial.py")}}


def template(name: str, /, **words: str) -> bytes:
    """Return a file of the folder `templates`, its words filled in if there are any."""
    data = (files(__package__) / "templates" / name).read_bytes()
    return string.Template(data.decode()).substitute(words).encode() if words else data


def python_files(package: ModelPackage, format: str, python: str, /) -> dict[str, bytes]:
    """Return what answers from a package's form in Python, the self-test, and what keeps it up to date."""
    scripts = {path: template(name) for path, name in _SCRIPTS.items()}
    row = pprint.pformat(sample(package), sort_dicts=False, width=100)
    return {
        **runtime_files([format]),
        **scripts,
        f"mlopskit-{package.name}.service": template("device.service", name=package.name),
        "README.md": template("README.python.md", name=package.name, digest=package.digest, python=python),
        "use/example.py": template("use/example.py.txt", row=row),
    }


def vectors(package: ModelPackage, /, *, publish_rows: bool) -> dict[str, bytes]:
    """Return the golden rows as test vectors for a program that uses the model, if they may be shown to its authors."""
    about = package.manifest["golden"]
    if about is None or (package.shows_data and not publish_rows):
        return {}
    return {VECTORS: package.files[about["file"]]}


def sample(package: ModelPackage, /) -> dict[str, Any]:
    """Return a row of the package's schema, of no data."""
    inputs = package.schema.inputs
    return {name: _cell(inputs["properties"][name]) for name in inputs["required"]}


def _cell(spec: Mapping[str, Any]) -> Any:
    if "enum" in spec:
        return spec["enum"][0]
    types = [spec["type"]] if isinstance(spec["type"], str) else spec["type"]
    if "string" in types:
        return "a text"
    if "boolean" in types:
        return True
    number = max(1, spec.get("minimum", 1))
    return min(number, spec.get("maximum", number))
