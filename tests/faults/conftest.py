import hashlib

import pytest

from mlopskit.aliases import Alias
from mlopskit.builtin.folder import FolderStorage
from mlopskit.disk import DISK
from mlopskit.runtime import canonical, open_package

NAME = "sentiment"


def column(name):
    return {
        "additionalProperties": False,
        "properties": {name: {"type": "number"}},
        "required": [name],
        "type": "object",
    }


def small_package(number):
    """Return the files of a package of its own for each number."""
    files = {f"model/part{part}.bin": f"{number}-{part}".encode() * 100 for part in range(3)}
    manifest = {
        "environment": {},
        "evaluation": None,
        "files": {
            path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for path, data in files.items()
        },
        "format_version": 1,
        "golden": None,
        "models": [],
        "name": NAME,
        "provenance": {},
        "schema": {"inputs": column("x"), "outputs": column("prediction")},
        "task": "regression",
    }
    return {**files, "manifest.json": canonical.dumps(manifest)}


class Share:
    """A share in a folder: publishes packages, moves an alias, and looks at it as a reader does."""

    def __init__(self, root, disk=DISK):
        self.root = root
        self.storage = FolderStorage(str(root), disk=disk)
        self.alias = Alias(self.storage, f"{NAME}/aliases", NAME, "production")

    def publish(self, files):
        """Commit a package; return its digest and whether it was not there before."""
        digest = canonical.digest_of(files["manifest.json"])
        prefix = f"{NAME}/packages/{digest.removeprefix('sha256:')}"
        return digest, self.storage.commit(prefix, files, last="manifest.json")

    def move(self, at=lambda _: None):
        """Publish the next package and move the alias to it, telling what it is at: publishing 1, moving 2."""
        head = self.alias.head()
        number = head.seq if head else 0
        at(1)
        digest, _ = self.publish(small_package(number))
        at(2)
        record = self.alias.append(digest, after=head, why="")
        at(0)
        return record

    def answer(self):
        """Return the alias's number and its package, every byte checked; 0 and None if it has none."""
        head = self.alias.head()
        if head is None:
            return 0, None
        return head.seq, open_package(self.root / NAME / "packages" / head.digest.removeprefix("sha256:"))

    def hint(self):
        return self.storage.read(f"{NAME}/aliases/production.json", limit=1 << 20)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """A state folder of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def share(tmp_path):
    """Make the share of this test, on a disk of one's choice."""
    return lambda disk=DISK: Share(tmp_path / "share", disk)


@pytest.fixture
def package_files():
    return small_package
