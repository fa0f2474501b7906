"""A function that runs here, in its service's own runtime: how it is started, and what it can be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol


class Reply(NamedTuple):
    """What a function answered over its service's own form of HTTP; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How a function is started here.

    `folder` is its unpacked zip, `site` the unpacked wheels of its service's runtime, `command` what runs Python, an
    emulator before it if need be. `environment` is what the function finds set beside what its service sets; `memory`
    is what its processes may have resident at their peak, in MiB (None: no limit), `seconds` how long one invocation
    may take.
    """

    folder: Path
    site: Path
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    memory: int | None = None
    seconds: float = 60.0


class Function(Protocol):
    """A function in its service's runtime."""

    @property
    def pid(self) -> int:
        """The process that the function's code runs in."""

    @property
    def begun(self) -> float:
        """When its process was started, by `time.monotonic()`."""

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes, /) -> Reply:
        """Return what the function answers to a request, made as its service makes it of HTTP.

        Raises:
            DeployError: it failed, ended, or did not start; the message has its last words.
            LimitError: it took too long.
        """


Start = Callable[[Launch], AbstractContextManager[Function]]
