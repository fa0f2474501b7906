"""Which wheels are needed: the requirements, and what their wheels say that these require where they will be used.

pip is asked for one wheel of each name, never for what that requires: a requirement may be an address of its own, whose
code pip would run to learn its name, and pip reads conditions such as `platform_machine == "aarch64"` as those of the
machine it runs on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlopskit import wheelindex
from mlopskit.errors import IntegrityError, StorageError
from mlopskit.platforms import PLATFORMS
from mlopskit.steps import Progress
from mlopskit.wheelfile import Metadata, metadata_of
from mlopskit.wheels import Wheels

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

# Each finds one more step of a chain of requirements.
_ROUNDS = 30


def resolve(wheels: Wheels, folder: Path, /, *, tell: Progress) -> list[Path]:
    """Download the wheels of some requirements and of all that these require on their platform, into a new folder.

    Of each name the newest is chosen that all those chosen so far can do with; no choice is taken back for a later one.

    Raises:
        StorageError: the index cannot be reached, lacks a wheel, or what was chosen does not fit together.
        IntegrityError, UnsafePathError, LimitError: one of them is no wheel that may be unpacked.
    """
    files: dict[str, Path] = {}
    said: dict[str, Metadata] = {}
    for number in range(_ROUNDS):
        needed = _needed(wheels, said)
        lacking = [f"{name}{which}" for name, which in sorted(needed.items()) if not _meets(said.get(name), which)]
        if not lacking:
            return sorted(files[name] for name in needed)
        for file in wheelindex.choose(wheels, lacking, folder / str(number), tell=tell):
            found = metadata_of(file)
            files[found.name], said[found.name] = file, found
    raise StorageError(
        f"The wheels of {wheels} do not fit together: after {_ROUNDS} tries {', '.join(lacking)} is wanting.",
        remedy="Name versions that do.",
    )


def _meets(said: Metadata | None, which: SpecifierSet) -> bool:
    return said is not None and which.contains(said.version, prereleases=True)


def _needed(wheels: Wheels, said: Mapping[str, Metadata]) -> dict[str, SpecifierSet]:
    """Return the names of all that is needed, as far as is known, and which versions all those can do with."""
    from packaging.utils import canonicalize_name

    values = _values(wheels)
    waiting = [_parsed(one, "what was asked for") for one in wheels.requirements]
    needed: dict[str, SpecifierSet] = {}
    seen: set[tuple[str, str]] = set()
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        needed[name] = needed[name] & one.specifier if name in needed else one.specifier
        for extra in {"", *one.extras} if name in said else ():
            if (name, extra) not in seen:
                seen.add((name, extra))
                required = (_parsed(text, name) for text in said[name].requires)
                here = {**values, "extra": extra}
                waiting += [each for each in required if each.marker is None or each.marker.evaluate(here)]
    return needed


def _values(wheels: Wheels) -> dict[str, str]:
    """Return what conditions ask for, as it is where the wheels will be used; of Python the patch is not known."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{wheels.python}.0",
        "os_name": "posix",
        "platform_machine": PLATFORMS[wheels.platform].machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{wheels.python}.0",
        "python_version": wheels.python,
        "sys_platform": "linux",
    }


def _parsed(text: str, owner: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        found = Requirement(text)
    except InvalidRequirement as error:
        raise IntegrityError(
            f"{owner} requires {ascii(text)}, which is no requirement.", remedy="Take another version of it."
        ) from error
    if found.url:
        raise IntegrityError(
            f"{owner} requires {found.name} from an address of its own, not from the index.",
            remedy="Take another version of it.",
        )
    return found
