"""What a function is made for and where its model comes from: options that reach a manifest, each checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from mlopskit.errors import ConfigError

_PYTHON = re.compile(r"3\.(?:1[1-9]|[2-9][0-9])", re.ASCII)
# The services give memory in such steps; Lambda's least is 128.
_MEMORY = range(128, 10_241)
PLATFORMS = ("linux/x86_64", "linux/aarch64")
Form = Literal["portable", "onnx", "skops"]


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


def check_options(options: FunctionOptions, /) -> None:
    """Refuse options that are not what they shall be, to the last character.

    Raises:
        ConfigError: one is not; the message has its name and value.
    """
    if options.platform not in PLATFORMS:
        raise _wrong("platform", options.platform, "a platform", f"Take one of {', '.join(PLATFORMS)}.")
    if not _PYTHON.fullmatch(options.python):
        raise _wrong("python", options.python, "a version from 3.11 on", 'Say what the service has: python = "3.11".')
    if type(options.memory) is not int or options.memory not in _MEMORY:
        expected = f"a number from {_MEMORY.start} to {_MEMORY.stop - 1}"
        raise _wrong("memory", options.memory, expected, "Give memory such a number of MiB.")


def _wrong(name: str, value: object, expected: str, remedy: str) -> ConfigError:
    return ConfigError(f"{name} is {value!a}, expected {expected}.", remedy=remedy)
