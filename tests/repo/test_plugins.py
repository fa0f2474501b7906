from __future__ import annotations

import ast
import subprocess
import sys
import tomllib

# A hook takes seven lines.
MOST_LINES = {"pyproject.toml": 25, "__init__.py": 20, "README.md": 60}
KEYS = {"build-system", "project"}
PUBLIC = {"mlopskit", "mlopskit.errors", "mlopskit.runtime", "mlopskit.runtime.serving", "mlopskit.testing"}


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
        for file in (folder / "pyproject.toml", folder / "README.md", source / "__init__.py"):
            assert len(file.read_text("utf-8").splitlines()) <= MOST_LINES[file.name], file


def _imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def test_plugins_import_public_names_and_never_one_another(root, sources):
    seen = 0
    for file, tree in sources.items():
        parts = file.relative_to(root).parts
        if parts[0] != "plugins":
            continue
        seen += 1
        own = parts[1].replace("-", "_")
        names = {name for name in _imported(tree) if name.startswith("mlopskit")}
        assert {name for name in names if name.partition(".")[0] != own} <= PUBLIC, file
    assert seen or not list(root.glob("plugins/*"))


def _hooks(tree):
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_a_plugins_first_module_has_nothing_but_hooks_and_loads_nothing_more(root):
    for folder in root.glob("plugins/*"):
        module = folder.name.replace("-", "_")
        tree = ast.parse((folder / "src" / module / "__init__.py").read_text("utf-8"))
        others = [node for node in tree.body if not isinstance(node, ast.Expr | ast.ImportFrom | ast.FunctionDef)]
        assert not others
        assert all(hook.name.startswith("mlopskit_") and hook.decorator_list for hook in _hooks(tree))
        loaded = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
        done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, check=True, text=True)
        needed = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
        vendors = {one.split(">")[0].split("=")[0].split("-")[0] for one in needed} - {"mlopskit"}
        assert not vendors & set(done.stdout.split()), folder.name


def test_all_distributions_have_one_version(root):
    files = [root / "pyproject.toml", *root.glob("plugins/*/pyproject.toml")]
    assert len({tomllib.loads(file.read_text("utf-8"))["project"]["version"] for file in files}) == 1


def test_what_is_built_in_is_plugged_in_as_everything_is(root):
    from mlopskit import plugins

    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"].pop("pytest11") == {"mlopskit": "mlopskit.testing.pytestplugin"}
    for group, entries in project["entry-points"].items():
        assert group.removeprefix("mlopskit.") in plugins.KINDS
        assert entries.keys() <= {*plugins.names(group.removeprefix("mlopskit."))}
    assert not [one for one in plugins.listing() if one.problem]
