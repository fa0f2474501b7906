from __future__ import annotations

import dataclasses
import inspect
import json
import re
import typing

import click
import pytest

from mlopskit import config, errors, hookspecs, testing
from mlopskit.cli import cli
from mlopskit.plugins import KINDS

TABLES = {
    "The top of the file": config.Config,
    "`[data]`": config.DataTable,
    "`[data] test`": config.TestTable,
    "`[train]`": config.TrainTable,
    "`[evaluate]`": config.EvaluateTable,
    "`[package]`": config.PackageTable,
    "`[package] golden`": config.GoldenTable,
    "`[endpoint.NAME]`": config.EndpointTable,
    "`[promote.ALIAS]`": config.PromoteTable,
}
COMMON = {"--json", "--debug"}
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("mlopskit_")}
SUITES = {name: getattr(testing, name) for name in testing.__all__ if name.endswith("Conformance")}


def _default(field: dataclasses.Field) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "a table of its own"
    if field.default is dataclasses.MISSING:
        return "required"
    return "none" if field.default is None else f"`{json.dumps(field.default)}`"


@pytest.mark.parametrize("heading", TABLES)
def test_every_key_of_the_configuration_is_described_with_its_default(heading, root, page):
    rows = page(root / "docs/reference/configuration.md").rows(heading)
    fields = {str(field.metadata.get("key", field.name)): field for field in dataclasses.fields(TABLES[heading])}
    assert rows.keys() == fields.keys()
    assert {key: row[1] for key, row in rows.items()} == {key: _default(field) for key, field in fields.items()}


def test_every_table_of_the_configuration_is_described():
    # An endpoint's table holds its target's options too, which the core does not know.
    seen, waiting = set(), [config.Config, config.EndpointTable]
    while waiting:
        table = waiting.pop()
        seen.add(table)
        hints = typing.get_type_hints(table).values()
        named = [one for hint in hints for one in (hint, *typing.get_args(hint))]  # a table of tables, too
        waiting += [one for one in named if dataclasses.is_dataclass(one)]
    assert seen == set(TABLES.values())


def test_every_option_of_the_file_share_is_described(root, page):
    from mlopskit import FileShare

    rows = page(root / "docs/reference/configuration.md").rows('`target = "fileshare"`')
    fields = {field.name: field for field in dataclasses.fields(FileShare)}
    assert {key: row[1] for key, row in rows.items()} == {key: _default(field) for key, field in fields.items()}


def test_every_command_and_option_is_described_and_no_other(root, page):
    sections = page(root / "docs/reference/cli.md").sections
    described = {heading.strip("`"): text for heading, text in sections.items() if heading.startswith("`mlopskit ")}
    assert described.keys() == {f"mlopskit {name}" for name in cli.commands}
    for name, command in cli.commands.items():
        given = {name for one in command.params if isinstance(one, click.Option) for name in one.opts}
        options = {name for name in given if name.startswith("--")}
        text = described[f"mlopskit {name}"]
        assert options - COMMON == set(re.findall(r"`(--[a-z-]+)", text)) - COMMON, name
        for argument in (one for one in command.params if isinstance(one, click.Argument)):
            assert (argument.metavar or argument.name.upper()) in text, name
        assert str(command.help).partition("\n")[0] in text, name
    common = {name for one in cli.params if isinstance(one, click.Option) for name in one.opts} | COMMON
    assert not [name for name in common if f"`{name}" not in sections["Options of every command"]]


def test_every_hook_is_described_with_its_signature(root, page):
    sections = page(root / "docs/reference/hooks.md").sections
    assert {heading.strip("`") for heading in sections if heading.startswith("`mlopskit_")} == HOOKS.keys()
    for name, hook in HOOKS.items():
        signature = str(inspect.signature(hook)).replace("'", "")
        assert f"{name}{signature}" in sections[f"`{name}`"]


def test_every_group_of_entry_points_is_described(root, page):
    text = page(root / "docs/reference/hooks.md").text
    assert set(re.findall(r"`mlopskit\.(\w+)`", text)) >= set(KINDS)


def test_every_error_is_described_with_its_exit_code(root, page):
    reference = page(root / "docs/reference/errors.md")
    rows = {name: row for heading in reference.sections for name, row in reference.rows(heading).items()}
    classes = {name: getattr(errors, name) for name in errors.__all__}
    assert rows.keys() == classes.keys()
    assert {name: row[0] for name, row in rows.items()} == {name: str(one.exit_code) for name, one in classes.items()}


def test_the_trees_of_errors_are_the_real_one(root, page):
    tree = re.findall(r"^ *([│├└─ ]*)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    depths = {name: len(prefix) // 4 for prefix, name in tree}
    classes = {name: getattr(errors, name) for name in errors.__all__}
    assert depths == {name: len(one.__mro__) - len(errors.MlopskitError.__mro__) for name, one in classes.items()}
    drawn = page(root / "docs/reference/errors.md").sections["The tree"]
    assert re.findall(r"^([│├└─ ]*)(\w+Error)\b", drawn, re.MULTILINE) == tree


@pytest.mark.parametrize("name", SUITES)
def test_every_check_of_a_suite_is_described_and_all_that_can_be_overridden(name, root, page):
    reference = page(root / "docs/reference/conformance.md")
    suite = SUITES[name]
    # What a suite has of another one is described there.
    parent = next((one for one in suite.__mro__[1:] if one in SUITES.values()), object)
    names = {one for one in dir(suite) if not one.startswith("_") and not hasattr(parent, one)}
    checks = {one: [str(inspect.getdoc(getattr(suite, one))).partition("\n")[0]] for one in names if one[:5] == "test_"}
    assert reference.rows(f"Checks of `{name}`") == checks
    assert reference.rows(f"`{name}`").keys() == names - checks.keys()


def test_all_else_of_the_conformance_kit_is_described(root, page):
    rows = page(root / "docs/reference/conformance.md").rows("What else the kit holds")
    assert rows.keys() == set(testing.__all__) - SUITES.keys()
