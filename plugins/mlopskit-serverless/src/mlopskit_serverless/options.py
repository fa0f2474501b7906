"""What a function is made for and where its model comes from: options that reach a manifest, each checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from mlopskit.errors import ConfigError, UsageError
from mlopskit.runtime import uris

_PYTHON = re.compile(r"3\.(?:1[1-9]|[2-9][0-9])", re.ASCII)
# The services give memory in such steps; Lambda's least is 128.
_MEMORY = range(128, 10_241)
# By the platform of wheels, what AWS calls it.
ARCHITECTURES = {"linux/x86_64": "x86_64", "linux/aarch64": "arm64"}
# NAME@ALIAS below a place; what a place is asked with, like a signature, is a secret and stands in no manifest.
_PART = r"[A-Za-z0-9_][A-Za-z0-9._=+-]{0,254}"
_NAME = r"[a-z0-9][a-z0-9._-]{0,62}"
_MODEL_URI = re.compile(rf"(?:(?:https?|az|s3|gs)://{_PART}(?::[0-9]{{1,5}})?)?(?:/{_PART})*/{_NAME}@{_NAME}", re.ASCII)
_LONGEST = 1024
Form = Literal["portable", "onnx", "skops"]
FORMS = ("portable", "onnx", "skops")


@dataclass(frozen=True, kw_only=True)
class FunctionOptions:
    """What a function is made for and where its model comes from.

    `python` is the version of the service's runtime, `memory` what a function has, in MiB. `form` takes that form of
    the model instead of the first that the package holds. With a `model_uri` the function follows that alias between
    invocations, and answers with the package in its zip as long as the place cannot be read.
    """

    platform: Literal["linux/x86_64", "linux/aarch64"] = "linux/x86_64"
    python: str = "3.11"
    memory: int = 512
    form: Form | None = None
    model_uri: str = ""

    @property
    def formats(self) -> tuple[str, ...]:
        """The forms of the model that a function takes, the smallest first."""
        return (self.form,) if self.form else FORMS


def check_options(options: FunctionOptions, name: str, /) -> None:
    """Refuse options that are not what they shall be, to the last character; `name` is the model's.

    Raises:
        ConfigError: one is not; the message has its name and value.
    """
    if options.platform not in ARCHITECTURES:
        raise _wrong("platform", options.platform, "a platform", f"Take one of {', '.join(ARCHITECTURES)}.")
    if not _PYTHON.fullmatch(options.python):
        raise _wrong("python", options.python, "a version from 3.11 on", 'Say what the service has: python = "3.11".')
    if type(options.memory) is not int or options.memory not in _MEMORY:
        expected = f"a number from {_MEMORY.start} to {_MEMORY.stop - 1}"
        raise _wrong("memory", options.memory, expected, "Give memory such a number of MiB.")
    if options.form not in (None, *FORMS):
        raise _wrong("form", options.form, f"one of {', '.join(FORMS)}", "Leave form out: the smallest is taken.")
    if options.model_uri:
        _check_uri(options.model_uri, name)


def _check_uri(uri: object, name: str) -> None:
    """Refuse what the function would refuse when it starts, and what could mean something else in a manifest."""
    found = _model_of(uri)
    if found is None:
        remedy = "Give one like s3://bucket/models/NAME@production; a signature is MODEL_QUERY of the function."
        raise _wrong("model_uri", _shown(uri), "a place and NAME@ALIAS, without a query", remedy)
    if found != name:
        remedy = f"Name a folder of the model, as …/{name}@production."
        raise _wrong("model_uri", _shown(uri), f"a place of the model {name!r}", remedy)


def _shown(uri: object) -> str:
    """Return what may be shown of a wrong place: a password or a signature may stand in it."""
    return re.sub(r"//[^/]*@", "//...@", str(uri).partition("?")[0])


def _model_of(uri: object) -> str | None:
    """Return the model that a URI names, None if it is no such URI."""
    if not isinstance(uri, str) or len(uri) > _LONGEST or not _MODEL_URI.fullmatch(uri):
        return None
    try:
        return uris.place_of(uri, environment={}, limit=0)[0].name
    except UsageError:
        return None


def _wrong(name: str, value: object, expected: str, remedy: str) -> ConfigError:
    return ConfigError(f"{name} is {value!a}, expected {expected}.", remedy=remedy)
