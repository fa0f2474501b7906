from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {"numpy", "pandas", "polars", "narwhals", "sklearn", "scipy", "skops", "msgspec", "rich", "joblib", "pyarrow"}


def _loaded(code: str) -> set[str]:
    """Return the modules that are neither of the standard library nor there before this code ran."""
    before, after = (
        "import sys; before = set(sys.modules)",
        "import json; print(json.dumps([*set(sys.modules) - before]))",
    )
    program = f"{before}\n{code}\n{after}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    modules = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    return modules - sys.stdlib_module_names


def test_importing_mlopskit_loads_nothing_else():
    assert _loaded("import mlopskit") == {"mlopskit"}


def test_the_runtime_stands_on_the_standard_library():
    assert _loaded("import mlopskit.runtime, mlopskit.runtime.http, mlopskit.runtime.__main__") == {"mlopskit"}


def test_help_loads_nothing_heavy():
    loaded = _loaded("from mlopskit.cli import run; assert run(['--help']) == 0")
    assert "click" in loaded
    assert not loaded & HEAVY


def test_reading_the_configuration_of_a_command_s_help_loads_nothing_heavy():
    assert not _loaded("from mlopskit.cli import run; assert run(['deploy', '--help']) == 0") & HEAVY


def test_the_hooks_load_pluggy_alone():
    assert _loaded("import mlopskit.hookspecs, mlopskit.builtin.hooks") == {"mlopskit", "pluggy"}


def test_listing_what_is_installed_loads_no_plugin():
    loaded = _loaded("from mlopskit import plugins; assert plugins.names('formats')")
    assert loaded == {"mlopskit"}
