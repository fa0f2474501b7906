"""What an image is made of and where it answers: options that reach a Dockerfile or a manifest, each checked."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

from mlopskit.errors import ConfigError

# As the distribution project's grammar of references has it, in lower case, and always with a digest.
_HOST = r"[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*"
_BASE = re.compile(rf"(?:{_REPOSITORY}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?@)?sha256:[0-9a-f]{{64}}", re.ASCII)
_TAG = re.compile(rf"{_REPOSITORY}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?", re.ASCII)
_REGISTRY = re.compile(rf"{_HOST}(?:/{_PART})*", re.ASCII)
_PYTHON = re.compile(r"3\.(?:1[1-9]|[2-9][0-9])", re.ASCII)
_INTERPRETER = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9._+-]*)+|[A-Za-z0-9_][A-Za-z0-9._+-]*", re.ASCII)
_LONGEST = 255
_PORTS = range(1, 65536)
# The server alone takes some 30 MiB.
_MEMORY = range(64, 2**20 + 1)
# By the name that images use, the one that wheels do.
MACHINES = {"linux/amd64": "linux/x86_64", "linux/arm64": "linux/aarch64"}


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """What an image is made of and where it answers.

    `base` is the image below, named by a digest or by its id; `interpreter` is its Python of the version `python`.
    `host` and `port` are where the model is published, `memory` is in MiB, and images are pushed to `registry` if one
    is named.
    """

    base: str
    platform: Literal["linux/amd64", "linux/arm64"] = "linux/amd64"
    python: str = "3.11"
    interpreter: str = "python3"
    host: str = "127.0.0.1"
    port: int = 8000
    memory: int = 512
    registry: str = ""


def check_options(options: ImageOptions, /) -> None:
    """Refuse options that are not what they shall be, to the last character.

    Raises:
        ConfigError: one is not; the message has its name and value.
    """
    _match("base", options.base, _BASE, "an image by its digest", "Take 'sha256:…' of 'docker image inspect NAME'.")
    if options.platform not in MACHINES:
        raise _wrong("platform", options.platform, "a platform", f"Take one of {', '.join(MACHINES)}.")
    _match("python", options.python, _PYTHON, "a version from 3.11 on", 'Say what the base has, like python = "3.11".')
    _match("interpreter", options.interpreter, _INTERPRETER, "a name or a path", "Say what Python is called there.")
    if options.registry:
        _match("registry", options.registry, _REGISTRY, "HOST:PORT/FOLDER", "Leave https:// out; lower case.")
    _address(options.host)
    _number("port", options.port, _PORTS)
    _number("memory", options.memory, _MEMORY)


def check_tag(tag: str, /) -> None:
    """Refuse a name of an image that is none.

    Raises:
        ConfigError: it is not, in lower case, what engines take.
    """
    _match("tag", tag, _TAG, "the name of an image", "Give one like models/tumour:1.")


def _match(name: str, value: object, pattern: re.Pattern[str], expected: str, remedy: str) -> None:
    if not isinstance(value, str) or len(value) > _LONGEST or not pattern.fullmatch(value):
        raise _wrong(name, value, expected, remedy)


def _number(name: str, value: object, allowed: range) -> None:
    if type(value) is not int or value not in allowed:
        raise _wrong(name, value, f"a number from {allowed.start} to {allowed.stop - 1}", f"Give {name} such a number.")


def _address(value: object) -> None:
    if not isinstance(value, str) or "%" in value or not _is_address(value):
        raise _wrong("host", value, "an address of this machine", "Give one like 127.0.0.1 or 0.0.0.0.")


def _is_address(value: str) -> bool:
    try:
        return str(ipaddress.ip_address(value)) == value
    except ValueError:
        return False


def _wrong(name: str, value: object, expected: str, remedy: str) -> ConfigError:
    return ConfigError(f"{name} is {value!a}, expected {expected}.", remedy=remedy)
