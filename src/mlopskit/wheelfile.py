"""One wheel: a zip file from elsewhere, looked at before anything of it is used. No code of it ever runs.

The form of a wheel is that of https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
"""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path, PurePosixPath

from mlopskit.errors import ConflictError, IntegrityError, LimitError, MlopskitError, UnsafePathError
from mlopskit.runtime.names import check_paths, shown

# numpy has 1,200 files, torch 12,000; a bundle may have 10,000.
MAX_MEMBERS = 50_000
MAX_SIZE = 8 << 30
_MAX_METADATA = 4 << 20
_REMEDY = "Find out who put it into the index that pip is configured with; take another version."
# What only compilers read.
_FOR_COMPILERS = (".a", ".h", ".hpp", ".lib", ".pxd", ".pxi", ".pyx")
_DRIVE = re.compile(r"[A-Za-z]:")
_KINDS = (0, stat.S_IFREG, stat.S_IFDIR)
_ENCRYPTED = 0x1


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a wheel says of itself: name, version, and the requirements of the distribution, as they are written."""

    name: str
    version: str
    requires: tuple[str, ...]


def metadata_of(file: Path, /) -> Metadata:
    """Return what a wheel says of itself, after a look at all its members.

    Raises:
        IntegrityError: it is no wheel, or another than its file name says.
        UnsafePathError, LimitError: a member is not to be unpacked.
    """
    with _opened(file) as (archive, members):
        named = [one for one in members if re.fullmatch(r"[^/]+\.dist-info/METADATA", one.filename)]
        if len(named) != 1 or named[0].file_size > _MAX_METADATA:
            raise _refused(file, "is no wheel: it does not have one METADATA")
        headers = BytesHeaderParser().parsebytes(archive.read(named[0]))
    said = {key: str(headers.get(key, "")).strip() for key in ("Name", "Version")}
    if _name_and_version(file) != (_plain(said["Name"]), said["Version"]):
        raise _refused(file, f"says that it is {shown(said['Name'])} {shown(said['Version'])}")
    requires = tuple(str(one) for one in headers.get_all("Requires-Dist", []))
    return Metadata(name=_plain(said["Name"]), version=said["Version"], requires=requires)


def _name_and_version(file: Path) -> tuple[str, str]:
    name, version, *_ = [*file.name.split("-"), ""]
    return _plain(name), version


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def unpack(files: Iterable[Path], into: Path, /) -> None:
    """Unpack wheels into one folder, the same bytes whoever does it and whenever.

    Left out: scripts, headers and data outside of packages (`*.data`), what only compilers read, folders `tests` inside
    of packages, bytecode, and RECORD, which lists all these.

    Raises:
        UnsafePathError: a path leaves the folder, is no plain file, or cannot stand in a bundle.
        ConflictError: two wheels hold another file under one path.
        LimitError: it is larger than any wheel is.
        IntegrityError: it is no wheel, or damaged.
    """
    owners: dict[str, Path] = {}
    for file in sorted(files):
        with _opened(file) as (archive, members):
            kept = [(place, one) for one in members if not one.is_dir() and (place := _place(one.filename))]
            with _naming(file):
                check_paths([*owners, *(place for place, _ in kept if place not in owners)])
            for place, member in kept:
                _write(archive, member, into / place, taken=owners.get(place), file=file)
                owners.setdefault(place, file)


def _place(name: str) -> str | None:
    """Return where a member of a wheel is unpacked to, None if it is left out."""
    parts = name.split("/")
    if parts[0].endswith(".data"):
        if len(parts) <= 2 or parts[1] not in ("purelib", "platlib"):  # noqa: PLR2004  # the folder, its part, a file
            return None
        parts = parts[2:]
    inside, last = parts[1:-1], parts[-1]
    if "tests" in inside or "__pycache__" in parts or last.endswith((".pyc", *_FOR_COMPILERS)):
        return None
    if parts[0].endswith(".dist-info") and last == "RECORD":
        return None
    return "/".join(parts)


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, *, taken: Path | None, file: Path) -> None:
    if taken is not None:
        if target.read_bytes() != archive.read(member):
            raise ConflictError(
                f"The wheels {taken.name!r} and {file.name!r} hold another file as {shown(member.filename)}.",
                remedy="Leave one of them out.",
            )
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as source, target.open("xb") as opened:
        shutil.copyfileobj(source, opened, 1 << 20)
    target.chmod(0o644)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    """Open a wheel and give it with its members, all of them looked at."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive, _checked(file, archive.infolist())
    except MlopskitError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _refused(file, f"cannot be unpacked: {error}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # that is an offset before the beginning; all else is the disk's
            raise
        raise _refused(file, "cannot be unpacked: it leads out of itself") from error


def _checked(file: Path, members: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    if len(members) > MAX_MEMBERS or sum(one.file_size for one in members) > MAX_SIZE:
        raise LimitError(
            f"The wheel {file.name!r} has {len(members):,} members of {sum(one.file_size for one in members):,} bytes, "
            f"at most {MAX_MEMBERS:,} and {MAX_SIZE:,} are unpacked.",
            remedy=_REMEDY,
        )
    seen: set[str] = set()
    for one in members:
        reason = "a second time" if one.filename in seen else _fault(one)
        if reason:
            raise UnsafePathError(
                f"The wheel {file.name!r} holds {shown(one.orig_filename)} {reason}.",
                remedy=_REMEDY,
                path=one.orig_filename,
            )
        seen.add(one.filename)
    return members


def _fault(member: zipfile.ZipInfo) -> str | None:
    """Say why a member must not be unpacked; the name is looked at as it is written, before `zipfile` mends it."""
    name = member.orig_filename
    parts = name.removesuffix("/").split("/")
    if name != member.filename or "\\" in name or _DRIVE.match(name) or not name.isprintable():
        return "which is no plain path"
    if PurePosixPath(name).is_absolute() or {"", ".", ".."} & {*parts}:
        return "which leaves its folder"
    if stat.S_IFMT(member.external_attr >> 16) not in _KINDS:
        return "which is no plain file but a link, a device or the like"
    if member.flag_bits & _ENCRYPTED or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "in a form that wheels do not have"
    return None


@contextlib.contextmanager
def _naming(file: Path) -> Iterator[None]:
    try:
        yield
    except UnsafePathError as error:
        raise UnsafePathError(
            f"In the wheel {file.name!r}: {error.message}", remedy=_REMEDY, **error.culprits
        ) from error


def _refused(file: Path, what: str) -> IntegrityError:
    return IntegrityError(f"{file.name!r} {what}.", remedy=_REMEDY, file=file.name)
