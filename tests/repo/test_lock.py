from __future__ import annotations

import re
import tomllib
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

MOST_PACKAGES = 22


def _locked(text: str) -> list[tuple[str, str]]:
    """Return the name and the whole line of each requirement; one may have several lines, for several Pythons."""
    text = re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [(canonicalize_name(re.split("[=<> ]", line)[0]), line) for line in text.splitlines() if line.strip()]


def test_every_line_of_the_locks_is_pinned_with_its_hashes(root):
    pinned = re.compile(r"[A-Za-z0-9._-]+==[^\s;]+ .*--hash=sha256:[0-9a-f]{64}")
    for name in ("requirements.lock", "requirements.uv.lock", "requirements.engines.lock"):
        locked = _locked((root / name).read_text("utf-8"))
        assert locked
        assert not [line for _, line in locked if not pinned.match(line)]


def test_the_lock_pins_all_that_is_asked_for(root):
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    engines = _locked((root / "requirements.engines.lock").read_text("utf-8"))
    asked = [*project["project"]["dependencies"], *groups["engines"]]
    assert {canonicalize_name(Requirement(one).name) for one in asked} <= {name for name, _ in engines}
    asked = [*project["project"]["dependencies"], *groups["dev"]]
    for plugin in root.glob("plugins/*/pyproject.toml"):
        asked += tomllib.loads(plugin.read_text("utf-8"))["project"].get("dependencies", [])
    names = {canonicalize_name(Requirement(one).name) for one in asked}
    ours = {"mlopskit", *(plugin.name for plugin in root.glob("plugins/*"))}
    assert names - ours <= {name for name, _ in _locked((root / "requirements.lock").read_text("utf-8"))}


def test_what_is_installed_is_what_the_lock_says(root):
    locked = _locked((root / "requirements.lock").read_text("utf-8"))
    pins = {(name, re.split("[= ;]+", line)[1]) for name, line in locked}
    assert {(name, metadata.version(name)) for name in _bare_install() - {"mlopskit"}} <= pins


def test_a_bare_install_is_small():
    assert len(_bare_install()) <= MOST_PACKAGES, sorted(_bare_install())


def _bare_install() -> set[str]:
    """Return the names of all that `pip install mlopskit` brings, itself among them."""
    found, waiting = set(), ["mlopskit"]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found.add(name)
            needed = map(Requirement, metadata.requires(name) or ())
            waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found
