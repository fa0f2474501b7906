"""A sysroot: the part of Debian for another processor that Python needs, in a folder; nothing is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from mlopskit.errors import ConfigError, DeployError
from mlopskit.platforms import Platform, check_python, platform_of
from mlopskit.wheels import cache_folder

# The release of Debian that has a version of Python.
RELEASES = {"3.11": "bookworm", "3.13": "trixie"}
MIRROR = "http://deb.debian.org/debian"
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
# What Python's own modules are linked to: sqlite3, ssl, bz2, lzma, uuid and ctypes are none without these.
_LIBRARIES = (
    "libbz2-1.0",
    "libc6",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libsqlite3-0",
    "libstdc++6",
    "libuuid1",
    "zlib1g",
)
_SSL = {"bookworm": ("libssl3",), "trixie": ("libssl3t64", "libzstd1")}
# Libraries that ask what the processor can do read this file, and would find this machine's.
_CPUINFO = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3
"""


def default_folder(platform: str, python: str, /) -> Path:
    """Return where a sysroot stands unless it is said."""
    return cache_folder() / "sysroots" / f"{platform.replace('/', '-')}-python{python}"


def python_in(folder: Path, python: str, /) -> Path:
    """Return where the Python of a sysroot stands."""
    return folder / "usr" / "bin" / f"python{python}"


def make(folder: Path, platform: str, python: str, /, *, mirror: str = MIRROR) -> None:
    """Make a sysroot of Debian's packages: whole, or not at all.

    apt-get checks their signatures with the keys of Debian. What is there already is left as it is.

    Raises:
        UnknownNameError: there is no such platform.
        ConfigError: no release of Debian known here has that Python, or the folder is taken.
        DeployError: a tool is missing, or it failed; the message has its last words.
    """
    folder, wanted = folder.absolute(), platform_of(platform)
    if python_in(folder, check_python(python)).exists():
        return
    if python not in RELEASES:
        raise ConfigError(
            f"No release of Debian that is known here has Python {python}.",
            remedy=f"Take one of {', '.join(RELEASES)}, or name a folder of your own as `sysroot`.",
        )
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{str(folder)!r} is not empty, and holds no python{python}.", remedy="Name another folder.")
    _check_tools()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        made = Path(temporary, "root")
        made.mkdir(mode=0o755)
        for archive in _downloaded(Path(temporary), wanted, python, mirror):
            _run(["dpkg-deb", "--extract", str(archive), str(made)])
        for name in ("lib", "lib64"):  # which newer releases leave to a package of their own
            if (made / "usr" / name).is_dir() and not (made / name).exists():
                (made / name).symlink_to(f"usr/{name}")
        (made / "proc").mkdir()
        if wanted.machine == "aarch64":
            (made / "proc" / "cpuinfo").write_text(_CPUINFO, encoding="ascii")
        if folder.exists():
            folder.rmdir()
        made.rename(folder)


def _check_tools() -> None:
    lacking = [one for one in ("apt-get", "dpkg-deb") if shutil.which(one) is None]
    if lacking or not Path(_KEYS).exists():
        raise DeployError(
            f"A sysroot is made of Debian's packages, and here is no {' and no '.join(lacking or [_KEYS])}.",
            remedy="Make it on a Debian machine, or take such a machine's own root file system as `sysroot`.",
        )


def _downloaded(folder: Path, platform: Platform, python: str, mirror: str) -> list[Path]:
    """Download the packages by a state of apt's own, so that this machine's is neither used nor changed."""
    for one in ("lists/partial", "cache/archives/partial", "packages"):
        (folder / one).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb [signed-by={_KEYS}] {mirror} {RELEASES[python]} main\n")
    options = {
        "APT::Architecture": platform.debian,
        "APT::Architectures": platform.debian,
        "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",
        "Acquire::Languages": "none",
        "Dir::State": str(folder),
        "Dir::State::Lists": str(folder / "lists"),
        "Dir::State::status": str(folder / "status"),
        "Dir::Cache": str(folder / "cache"),
        "Dir::Etc::sourcelist": str(folder / "sources.list"),
        "Dir::Etc::sourceparts": "-",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    interpreter = [f"python{python}-minimal", f"libpython{python}-minimal", f"libpython{python}-stdlib"]
    wanted = [*interpreter, *_LIBRARIES, *_SSL[RELEASES[python]]]
    _run([*apt, "update"])
    _run([*apt, "download", *wanted], cwd=folder / "packages")
    return sorted((folder / "packages").glob("*.deb"))


def _run(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()[-500:]
        what = " ".join([command[0], *(one for one in command if one in ("update", "download"))])
        raise DeployError(
            f"{what} ended with {done.returncode}: {words}",
            remedy="Mend what it names; is Debian's mirror reachable?",
        )
