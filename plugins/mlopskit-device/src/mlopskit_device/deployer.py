"""The target `device`: a bundle for one kind of machine, asked on its processor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from mlopskit import Answer, BundleDeployer, ModelPackage, Row, StoredModel, Wheels, write_files
from mlopskit.errors import ConfigError
from mlopskit_device import bundle, ort, program, running
from mlopskit_device.platforms import PLATFORMS

_PYTHON = re.compile(r"3\.(1[1-9]|[2-9][0-9])|none")
_HOST = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.:-]*")


@dataclass(frozen=True, kw_only=True)
class Device(BundleDeployer):
    """Builds a bundle that runs on a device of a platform, with Python alone or without it, and asks it there.

    `python` is the version on the device; "none" makes a program in C. `form` takes that form of the model instead of
    the first that the package holds. `ssh` names a device that is asked (user@host) instead of an emulator, for which
    `sysroot` is the device's root file system if not the one that 'mlopskit sysroot' made. With `publish_rows`
    golden rows that were taken from the test data are test vectors for whoever programs with the model.
    """

    target: ClassVar[str] = "device"

    platform: Literal["linux/aarch64", "linux/armv7", "linux/x86_64"] = "linux/aarch64"
    python: str = "3.11"
    form: Literal["portable", "onnx"] | None = None
    # Not compared: by which way it is asked does not make it another place.
    ssh: str | None = field(default=None, compare=False)
    sysroot: str | None = field(default=None, compare=False)
    publish_rows: bool = False

    @property
    def formats(self) -> tuple[str, ...]:  # type: ignore[override]  # not of the class: the options say it
        """The forms that the device can run, in order of preference."""
        has_engine = self.python != "none" and self.platform != "linux/armv7"
        able = ("portable", "onnx") if has_engine else ("portable",)
        return able if self.form is None else tuple(one for one in able if one == self.form)

    def check(self, package: ModelPackage, /) -> None:
        """Refuse options that mean nothing, and a platform whose programs cannot be run from here."""
        del package
        self._check_options()
        self._way()
        if self.python == "none":
            program.compiler_for(PLATFORMS[self.platform])

    def needs(self, package: ModelPackage, model: StoredModel | None, /) -> Sequence[Wheels]:
        """Return the wheels of the form's engine, which the portable one does without."""
        del package
        if model is None or not model.requires or self.python == "none":
            return ()
        return (Wheels(requirements=model.requires, platform=self.platform, python=self.python),)

    def build(self, package: ModelPackage, model: StoredModel | None, into: Path, /) -> None:
        """Write the package with its one form, what answers from it, and how it is used."""
        if model is None:
            raise ConfigError("A device needs a form of the model.", remedy="Package it as portable or onnx.")
        package.write(into / bundle.PACKAGE, format=model.format)
        write_files(bundle.vectors(package, publish_rows=self.publish_rows), into)
        if self.python == "none":
            program.write(package, PLATFORMS[self.platform], into)
        else:
            write_files(bundle.python_files(package, model.format, self.python), into)
        for wheels in self.needs(package, model):
            wheels.unpack(into / bundle.SITE)
        if model.format == "onnx":
            write_files(ort.files_of(package), into)

    def ask(self, bundle: Path, rows: Sequence[Row], /) -> Answer:
        """Run the bundle as its users do, with the rows on its standard input."""
        return running.ask(self._way(), bundle, rows)

    def _way(self) -> running.Way:
        folder = Path(self.sysroot) if self.sysroot else None
        return running.way_to(self.platform, python=self.python, folder=folder, ssh=self.ssh)

    def _check_options(self) -> None:
        if self.platform not in PLATFORMS:
            raise ConfigError(
                f"platform is {self.platform!a}, of which nothing is known.",
                remedy=f"Take one of {', '.join(PLATFORMS)}.",
            )
        if not _PYTHON.fullmatch(self.python):
            raise ConfigError(
                f"python is {self.python!a}, expected a version from 3.11 on, or none.",
                remedy='Say what the device has, like python = "3.11", or "none" for a program in C.',
            )
        if self.ssh is not None and not _HOST.fullmatch(self.ssh):
            raise ConfigError(f"ssh is {self.ssh!a}, expected user@host.", remedy="Name the device as ssh does.")
        if not self.formats:
            raise ConfigError(
                f"The form {self.form!a} does not run on {self.platform} with python = {self.python!a}.",
                remedy="Leave form out: the portable one runs there.",
            )
