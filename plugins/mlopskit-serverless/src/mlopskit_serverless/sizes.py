"""How large a function's zip is, by its parts, and what was left out of it."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlopskit import Table
from mlopskit_serverless import contents
from mlopskit_serverless.services import MIB
from mlopskit_serverless.stripping import Rule

BYTECODE = "bytecode"
#: What stands at the root of a zip, by the first part of its paths.
_ROOTS = {"_mlopskit_runtime": "runtime", contents.PACKAGE: "package"}


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a zip: how many files, and bytes of them in the zip and unzipped."""

    name: str
    files: int
    zipped: int
    unzipped: int


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """A zip's size in bytes, its parts from the largest, and what was left out, in bytes by each rule."""

    zipped: int
    parts: Sequence[Part]
    stripped: Mapping[Rule, int]

    @classmethod
    def of(cls, file: Path, stripped: Mapping[Rule, int], /) -> Sizes:
        """Return the sizes of a zip."""
        found: dict[str, list[zipfile.ZipInfo]] = {}
        with zipfile.ZipFile(file) as archive:
            for one in archive.infolist():
                found.setdefault(_part(one.filename), []).append(one)
        parts = [
            Part(
                name=name,
                files=len(members),
                zipped=sum(one.compress_size for one in members),
                unzipped=sum(one.file_size for one in members),
            )
            for name, members in found.items()
        ]
        ordered = sorted(parts, key=lambda part: (-part.zipped, part.name))
        return cls(zipped=file.stat().st_size, parts=ordered, stripped=stripped)

    @property
    def unzipped(self) -> int:
        """All bytes of the files in the zip."""
        return sum(part.unzipped for part in self.parts)

    def as_table(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        stripped = [{**rule._asdict(), "bytes": size} for rule, size in self.stripped.items()]
        parts = [asdict(part) for part in self.parts]
        return {"zipped": self.zipped, "unzipped": self.unzipped, "parts": parts, "stripped": stripped}

    def table(self) -> Table:
        """Return the parts as a table."""
        rows = [(one.name, one.files, one.zipped, one.unzipped) for one in self.parts]
        total = ("all", sum(one.files for one in self.parts), self.zipped, self.unzipped)
        return Table(("part", "files", "bytes in the zip", "bytes unzipped"), [*rows, total])

    def text(self) -> str:
        """Return the largest parts in words."""
        return ", ".join(f"{one.name} {mib(one.zipped)} ({mib(one.unzipped)} unzipped)" for one in self.parts[:5])


def mib(size: int, /) -> str:
    """Return a number of bytes in words."""
    return f"{size / MIB:,.1f} MiB"


def report(sizes: Sizes, facts: Mapping[str, str], /) -> dict[str, bytes]:
    """Return the report of a zip's sizes, for programs and for people, with facts that a line each is said of."""
    left = Table(
        ("files", "bytes", "why nothing needs them"),
        [(rule.pattern, size, rule.reason) for rule, size in sizes.stripped.items()],
    )
    words = {
        "facts": "\n".join(f"- {name}: {said}" for name, said in facts.items()),
        "parts": sizes.table().markdown(),
        "stripped": left.markdown() if sizes.stripped else "Nothing: there are no wheels in it.",
    }
    about = {**sizes.as_table(), "facts": dict(facts)}
    return {
        "sizes.json": json.dumps(about, indent=1, sort_keys=True).encode() + b"\n",
        "SIZES.md": contents.template("SIZES.md", **words),
    }


def _part(path: str) -> str:
    if path.endswith(".pyc"):
        return BYTECODE
    first, _, rest = path.partition("/")
    if first == contents.SITE:
        # A distribution has its folder, one of libraries, and one that says what it is.
        return re.split(r"[-.]", rest.partition("/")[0])[0]
    return _ROOTS.get(first, "handler")
