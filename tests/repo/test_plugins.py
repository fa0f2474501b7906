from __future__ import annotations

import tomllib

MOST_LINES = {"pyproject.toml": 25, "__init__.py": 15}
KEYS = {"build-system", "project"}


def test_every_plugin_is_of_the_one_shape(root):
    folders = sorted(folder for folder in (root / "plugins").glob("*") if folder.is_dir())
    for folder in folders:
        prefix, _, word = folder.name.partition("-")
        assert prefix == "mlopskit"
        source = folder / "src" / f"mlopskit_{word}"
        for file in ("pyproject.toml", "README.md", "tests/test_conformance.py"):
            assert (folder / file).is_file(), f"{folder.name} has no {file}"
        assert (source / "__init__.py").is_file()
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
        assert project.keys() == KEYS
        assert project["project"]["name"] == folder.name
        for file in (folder / "pyproject.toml", source / "__init__.py"):
            assert len(file.read_text("utf-8").splitlines()) <= MOST_LINES[file.name], file


def test_what_is_built_in_is_plugged_in_as_everything_is(root):
    from mlopskit import plugins

    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"].pop("pytest11") == {"mlopskit": "mlopskit.testing.pytestplugin"}
    for group, entries in project["entry-points"].items():
        assert group.removeprefix("mlopskit.") in plugins.KINDS
        assert entries.keys() <= {*plugins.names(group.removeprefix("mlopskit."))}
    assert not [one for one in plugins.listing() if one.problem]
