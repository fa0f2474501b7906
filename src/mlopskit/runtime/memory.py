"""What a reader of an alias remembers, in a folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from .alias import AliasRecord, parse_record
from .errors import MlopskitError, UsageError
from .fetching import replace_file
from .names import hex_of
from .places import PACKAGES


class Memory:
    """What a reader keeps in a folder of its own: the newest record that it saw, the one that answers, packages."""

    def __init__(self, folder: Path, name: str, alias: str, *, kept: str = PACKAGES) -> None:
        self._folder = folder
        self._name = name
        self._alias = alias
        self.packages = folder / kept
        try:
            self._make()
        except OSError as error:
            raise UsageError(
                f"The folder {str(folder)!r} cannot be used: {error.strerror}.", remedy="Give one that can be written."
            ) from error

    def _make(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.packages.mkdir(mode=0o700, exist_ok=True)

    def read(self, what: str, /) -> AliasRecord | None:
        """Return a record that was kept, None if none was.

        Raises:
            UsageError: what stands there is no record of this alias.
        """
        file = self._folder / f"{what}.json"
        try:
            data = file.read_bytes()
            return parse_record(data, name=self._name, alias=self._alias, seq=None)
        except FileNotFoundError:
            return None
        except (MlopskitError, OSError) as error:
            raise UsageError(
                f"{str(file)!r} does not say what was seen of the alias {self._alias!r} of {self._name!r}: "
                f"{getattr(error, 'message', error)}",
                remedy="Give each alias that is watched a folder of its own.",
            ) from error

    def write(self, what: str, record: AliasRecord, /) -> None:
        """Keep a record, in place of the one before."""
        self._make()  # a temporary folder may be swept away from a process that runs for weeks
        replace_file(self._folder / f"{what}.json", record.data())

    def tidy(self, wanted: Collection[str | None], /) -> None:
        """Remove all packages but those wanted, and what a killed reader left half downloaded."""
        names = {hex_of(digest) for digest in wanted if digest}
        for entry in self.packages.iterdir():
            if entry.name not in names:
                shutil.rmtree(entry, ignore_errors=True)
