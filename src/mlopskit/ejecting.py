"""Eject a package: a scorer in some language, its model and a self-test, as plain files that need no mlopskit."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlopskit import plugins, vendoring
from mlopskit.disk import ASIDE, DISK, commit_folder
from mlopskit.errors import ConfigError, PackageError, unknown
from mlopskit.modelpackage import SMALL_FILES, ModelPackage, StoredModel, form_of, held_instead
from mlopskit.runtime.golden import GoldenRow, check_golden
from mlopskit.runtime.names import check_paths
from mlopskit.runtime.package import open_package
from mlopskit.runtime.scoring import FORMATS, load
from mlopskit.trust import trusted


@dataclass(frozen=True, kw_only=True)
class Ejected:
    """What was ejected: where to, of which package and form, in which language, and whether golden rows went along."""

    folder: Path
    package: str
    format: str
    language: str
    files: tuple[str, ...]
    golden: bool

    def as_table(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {**asdict(self), "folder": str(self.folder), "files": list(self.files)}


def eject(package: ModelPackage, into: str | Path, /, *, language: str, publish_rows: bool = False) -> Ejected:
    """Write a package's model and its scorer in a language into a new or empty folder: whole, or not at all.

    The form that is written answers the golden rows here first. These go along if they were taken from a file, or with
    `publish_rows`; rows of the test data stay here otherwise, and the self-test asks for rows that are made up.

    Raises:
        UnknownNameError: no installed format is ejected in this language.
        PackageError: the package lacks the form that is, or that form answers the golden rows otherwise here.
        ConfigError: the folder is not empty, or no place for a folder.
    """
    stored, target = _form(package, language), _target(Path(into))
    opened = open_package(
        package.folder, digest=package.digest, keep=lambda path: path in stored.files or path in SMALL_FILES
    )
    format = vendoring.format_of(stored.format)
    loaders = {stored.format: lambda: importlib.import_module(format.loader)}
    check_golden(opened, load(opened, loaders=loaders, format=stored.format, trust_code=trusted(package.digest)))
    rows = _rows(package, publish_rows=publish_rows)
    files = dict(format().eject(language, package, {path: opened.files[path] for path in stored.files}, rows))
    check_paths(files)
    _write(target, files)
    return Ejected(
        folder=Path(into),
        package=package.digest,
        format=stored.format,
        language=language,
        files=tuple(sorted(files)),
        golden=bool(rows),
    )


def _form(package: ModelPackage, language: str) -> StoredModel:
    """Return the form of a package that is ejected in a language, the preferred one first."""
    offered = {name: vendoring.format_of(name).languages for name in plugins.names("formats")}
    wanted = [name for name in sorted(offered, key=_rank) if language in offered[name]]
    if not wanted:
        raise unknown("language", language, {one for languages in offered.values() for one in languages})
    if (model := form_of(package, wanted)) is not None:
        return model
    raise PackageError(
        f"A model is ejected as {language} from its form {' or '.join(wanted)}; the package {package.digest} of "
        f"{package.name!r} holds {held_instead(package, wanted)}.",
        remedy="Change what is named and package the model again, or deploy a form that the package holds.",
        formats=wanted,
    )


def _rank(name: str) -> tuple[int, str]:
    return (FORMATS.index(name) if name in FORMATS else len(FORMATS)), name


def _rows(package: ModelPackage, *, publish_rows: bool) -> list[GoldenRow]:
    """Return the golden rows that may be shown: the rule is that of public targets."""
    return [] if package.shows_data and not publish_rows else [*package.golden]


def _target(into: Path) -> Path:
    """Return the whole path of a folder that is to be written."""
    try:
        target = into.expanduser().resolve()
        here = target == Path.cwd()
        taken = target.exists() and not (target.is_dir() and not any(target.iterdir()))
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"{str(into)!a} is no place for a folder: {str(error).rstrip('.')}.", remedy="Name another one."
        ) from error
    if taken or here:
        what = "the folder you are in" if here else "there already, and not empty" if target.is_dir() else "a file"
        raise ConfigError(f"{str(into)!a} is {what}.", remedy="Name a folder that is not there yet.")
    return target


def _write(target: Path, files: dict[str, bytes]) -> None:
    with _no_trace(target.parent):
        if not commit_folder(DISK, target.parent, target, dict(files)):
            raise ConfigError(f"{str(target)!a} was filled meanwhile.", remedy="Name a folder that is not there yet.")


@contextlib.contextmanager
def _no_trace(folder: Path) -> Iterator[None]:
    """Remove the folder in which the files were made, if nobody else makes something there."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / ASIDE).rmdir()
