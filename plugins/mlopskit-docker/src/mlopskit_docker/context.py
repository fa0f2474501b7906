"""The folder that an image is built of: a build context with its Dockerfile, and manifests that run the image."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from mlopskit import ModelPackage, StoredModel, Wheels, runtime_files, write_files
from mlopskit.errors import ConfigError
from mlopskit.runtime import serving
from mlopskit_docker.options import MACHINES, ImageOptions, check_options

APP = "app"
PACKAGE = "package"
#: What the image's configuration says, as JSON: the Dockerfile says the same.
IMAGE = "image.json"
#: Where those two folders stand in the image.
PLACES = {APP: "app", PACKAGE: "app/package"}
PORT = 8000
#: Whoever has this number owns nothing: Debian calls it nobody.
USER = 65534
CLAIM = "mlopskit-models"
_HEALTH = {"interval": 5, "timeout": 5, "start": 5, "retries": 3}
_SECOND = 10**9


def needs(options: ImageOptions, model: StoredModel | None, /) -> Sequence[Wheels]:
    """Return the wheels of the server and of the form's engine, for the image's platform."""
    machine = MACHINES[options.platform]
    required = (*serving.WHEELS, *(model.requires if model else ()))
    return (Wheels(requirements=required, platform=machine, python=options.python),)


def write_context(options: ImageOptions, package: ModelPackage, model: StoredModel | None, into: Path, /) -> None:
    """Write the folder: from a package with its one form, wheels from the cache, and the options, nothing else.

    Raises:
        ConfigError: an option is not what it shall be, or the package has no form of the model that can be served.
    """
    check_options(options)
    if model is None:
        raise ConfigError("An image needs a form of the model.", remedy="Package it as portable, onnx or skops.")
    package.write(into / PACKAGE, format=model.format)
    write_files(texts(options, package, model.format), into)
    for wheels in needs(options, model):
        wheels.unpack(into / APP / "site")


def texts(options: ImageOptions, package: ModelPackage, format: str, /) -> dict[str, bytes]:
    """Return the files that are neither the package's nor of wheels, by their paths in the folder."""
    image = settings(options, package, format)
    program = {
        **{f"runtime/{path}": data for path, data in runtime_files([format], serving=True).items()},
        "__main__.py": template("main.py", digest=package.digest, format=format),
        "health.py": template("health.py.txt", port=str(PORT), timeout=str(_HEALTH["timeout"])),
    }
    return {
        **{f"{APP}/{path}": data for path, data in program.items()},
        IMAGE: json.dumps(image, indent=1, sort_keys=True).encode() + b"\n",
        "Dockerfile": template("Dockerfile", **_dockerfile(options, image["config"])),
        "compose.yaml": template("compose.yaml", **_manifest(options, package)),
        "kubernetes.yaml": template("kubernetes.yaml", **_manifest(options, package)),
    }


def template(name: str, /, **words: str) -> bytes:
    """Return a file of the folder `templates` with its words filled in, which are taken as they are."""
    data = (files(__package__) / "templates" / name).read_text(encoding="utf-8")
    return string.Template(data).substitute(words).encode()


def settings(options: ImageOptions, package: ModelPackage, format: str, /) -> dict[str, Any]:
    """Return what an image of a package says: its base, its platform, and its configuration as engines read it."""
    interpreter = [options.interpreter, "-I", "-B"]
    labels = {
        "io.mlopskit.digest": package.digest,
        "io.mlopskit.format": format,
        "io.mlopskit.name": package.name,
        "org.opencontainers.image.base.name": options.base,
        "org.opencontainers.image.title": package.name,
        "org.opencontainers.image.version": package.digest,
    }
    config = {
        "Cmd": ["--host", "0.0.0.0", "--port", str(PORT)],  # noqa: S104  # of the container, which publishes it
        "Entrypoint": [*interpreter, f"/{PLACES[APP]}"],
        "ExposedPorts": {f"{PORT}/tcp": {}},
        "Healthcheck": {
            "Test": ["CMD", *interpreter, f"/{PLACES[APP]}/health.py"],
            "Interval": _HEALTH["interval"] * _SECOND,
            "Timeout": _HEALTH["timeout"] * _SECOND,
            "StartPeriod": _HEALTH["start"] * _SECOND,
            "Retries": _HEALTH["retries"],
        },
        "Labels": labels,
        "User": f"{USER}:{USER}",
    }
    return {"base": options.base, "config": config, "platform": options.platform}


def image_name(options: ImageOptions, package_name: str, digest: str, /) -> str:
    """Return what a package's image is called, in the registry if there is one: by the package's digest."""
    return f"{options.registry or 'mlopskit'}/{_plain(package_name)}:{digest.removeprefix('sha256:')[:12]}"


def _plain(name: str) -> str:
    """Return a model's name as images and services may be called."""
    return re.sub(r"[._-]+", "-", name).strip("-")[:50].strip("-")


def _dockerfile(options: ImageOptions, config: Mapping[str, Any]) -> dict[str, str]:
    return {
        "arguments": json.dumps(config["Cmd"]),
        "base": options.base,
        "entrypoint": json.dumps(config["Entrypoint"]),
        "health": json.dumps(config["Healthcheck"]["Test"][1:]),
        "labels": " ".join(f"{name}={json.dumps(value)}" for name, value in sorted(config["Labels"].items())),
        "platform": options.platform,
        "port": str(PORT),
        "user": config["User"],
        **{name: str(value) for name, value in _HEALTH.items()},
    }


def _manifest(options: ImageOptions, package: ModelPackage) -> dict[str, str]:
    """Return the words of the manifests, quoted as JSON, which is YAML, too."""
    host = f"[{options.host}]" if ":" in options.host else options.host
    follow = ["--follow", f"/models/{package.name}@production", "--folder", "/state"]
    limit = ["--trial-memory", str(options.memory)]
    words = {
        "architecture": options.platform.removeprefix("linux/"),
        "arguments": ["--host", "0.0.0.0", "--port", str(PORT), *follow, *limit],  # noqa: S104  # of the pod
        "claim": CLAIM,
        "digest": package.digest,
        "image": image_name(options, package.name, package.digest),
        "megabytes": f"{options.memory}m",
        "memory": f"{options.memory}Mi",
        "name": package.name,
        "object": f"mlopskit-{_plain(package.name)}",
        "platform": options.platform,
        "port": PORT,
        "published": f"{host}:{options.port}:{PORT}",
        "uid": USER,
        "user": f"{USER}:{USER}",
    }
    return {name: json.dumps(value) for name, value in words.items()}
