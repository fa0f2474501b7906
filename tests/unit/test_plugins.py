from __future__ import annotations

import logging
import sys
from typing import Any

import pytest

from mlopskit import plugins
from mlopskit.builtin.fileshare import FileShare
from mlopskit.deployer import Deployer
from mlopskit.errors import PluginError, UnknownNameError

PARROT = """
from dataclasses import dataclass
from typing import ClassVar
from mlopskit import BundleDeployer, hookimpl

@dataclass(frozen=True, kw_only=True)
class Parrot(BundleDeployer):
    target: ClassVar[str] = "parrot"
    def build(self, package, model, into, /): pass
    def ask(self, bundle, rows, /): pass

@hookimpl
def mlopskit_deployers():
    return [Parrot]
"""
HOOK = "from mlopskit import hookimpl\n@hookimpl\ndef mlopskit_{}():\n    return [{}]"
OBSERVER = """
from mlopskit import hookimpl

seen = []

@hookimpl
def mlopskit_before_deploy(package, endpoint):
    if endpoint == "broken":
        raise RuntimeError("no answer")
    return "not on Fridays" if endpoint == "friday" else None

@hookimpl
def mlopskit_failed(step, error):
    seen.append(step)
    if step == "break":
        raise RuntimeError("observer broke")
"""


def find(name: str) -> type[Deployer]:
    return plugins.find("deployers", name, Deployer)


def test_a_built_in_is_found_like_any_other() -> None:
    assert find("fileshare") is FileShare


def test_a_plugin_is_found_by_its_entry_point(install: Any) -> None:
    install("parrot", PARROT, deployers="parrot")
    assert find("parrot").target == "parrot"
    assert "parrot" in plugins.names("deployers")


def test_listing_names_imports_nothing(install: Any) -> None:
    install("parrot", "raise SystemError", deployers="parrot")
    assert "parrot" in plugins.names("deployers")
    assert "parrot" not in sys.modules


def test_only_the_one_asked_for_is_imported(install: Any) -> None:
    install("parrot", "raise SystemError", deployers="parrot")
    assert find("fileshare") is FileShare


def test_an_unknown_name_comes_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as caught:
        find("filshare")
    assert caught.value.message == "There is no deployer 'filshare'."
    assert "Did you mean 'fileshare'?" in caught.value.remedy


def test_two_distributions_with_one_name_are_named(install: Any) -> None:
    install("parrot", PARROT, deployers="parrot")
    install("cockatoo", PARROT, deployers="parrot")
    with pytest.raises(PluginError, match="'cockatoo' and 'parrot'"):
        find("parrot")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "ZeroDivisionError"),
        (PARROT.replace("mlopskit_deployers", "mlopskit_deployer"), "mlopskit_deployer"),
        (PARROT.replace("mlopskit_deployers()", "mlopskit_deployers(zone)"), "zone"),
        (PARROT.replace("return [Parrot]", "return []"), "it offers 0 deployers of this name instead of one"),
        (PARROT.replace("return [Parrot]", "return [Parrot, Parrot]"), "it offers 2 deployers"),
        (PARROT.replace("return [Parrot]", "return 1 / 0"), "ZeroDivisionError"),
        (PARROT.replace("def ask(self, bundle, rows, /): pass", ""), "its class Parrot lacks ask"),
        (
            HOOK.format("deployers", "type('P', (), {'target': 'parrot'})"),
            "what it offers is no Deployer",
        ),
    ],
)
def test_a_broken_plugin_is_named_with_its_distribution(install: Any, code: str, why: str) -> None:
    install("parrot", code, deployers="parrot")
    with pytest.raises(PluginError) as caught:
        find("parrot")
    assert "'parrot'" in caught.value.message
    assert why in caught.value.message
    assert "uninstall 'parrot'" in caught.value.remedy


def test_the_listing_says_what_is_broken_and_goes_on(install: Any) -> None:
    install("parrot", "import no_such_module", deployers="parrot")
    install("cockatoo", OBSERVER, observers="cockatoo")
    states = {(one.kind, one.name): one.problem for one in plugins.listing()}
    assert states["deployers", "fileshare"] is None
    assert states["observers", "cockatoo"] is None
    assert "no_such_module" in str(states["deployers", "parrot"])
    assert "parrot" in plugins.table(plugins.listing()).text(width=120)


def test_a_command_is_found(install: Any) -> None:
    code = "import click\n@click.command('sing')\ndef sing(): ...\n" + HOOK.format("commands", "sing")
    install("parrot", code, commands="sing")
    assert plugins.command("sing").name == "sing"


def test_a_promised_command_that_is_not_there_is_an_error(install: Any) -> None:
    install("parrot", HOOK.format("commands", ""), commands="sing")
    with pytest.raises(PluginError, match="0 commands"):
        plugins.command("sing")


def test_observers_veto_and_an_error_in_a_veto_is_one(install: Any) -> None:
    install("parrot", OBSERVER, observers="parrot")
    manager = plugins.observers()
    assert list(plugins.vetoes(manager, package=None, endpoint="monday")) == []
    assert list(plugins.vetoes(manager, package=None, endpoint="friday")) == [("parrot", "not on Fridays")]
    assert list(plugins.vetoes(manager, package=None, endpoint="broken")) == [
        ("parrot", "it failed: RuntimeError: no answer")
    ]


def test_an_error_in_an_observer_is_logged_and_the_next_is_told(install: Any, caplog: pytest.LogCaptureFixture) -> None:
    install("parrot", OBSERVER, observers="parrot")
    install("cockatoo", OBSERVER, observers="cockatoo")
    with caplog.at_level(logging.WARNING):
        plugins.notify(plugins.observers(), "mlopskit_failed", step="break", error=ValueError())
    assert {record.args[0] for record in caplog.records if record.args} == {"parrot", "cockatoo"}
    assert sys.modules["parrot"].seen == sys.modules["cockatoo"].seen == ["break"]


def test_a_broken_observer_stops_everything_since_it_may_hold_a_veto(install: Any) -> None:
    install("parrot", "import no_such_module", observers="parrot")
    with pytest.raises(PluginError, match="parrot"):
        plugins.observers()
