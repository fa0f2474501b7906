"""What is chosen, with an index that is a table."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.version import Version

import mlopskit as mk
from mlopskit import resolving, wheelindex
from mlopskit.errors import IntegrityError, StorageError
from mlopskit.wheelfile import Metadata


def wheels(*requirements, python="3.12", platform="linux/aarch64"):
    return mk.Wheels(requirements=requirements, platform=platform, python=python)


def choosing(monkeypatch, folder):
    """Return what chooses from a table of name → version → requirements, and gives name → version, or raises."""

    def choose(table, needed):
        def newest(_wheels, requirements, into, *, tell):
            del tell
            for one in map(Requirement, requirements):
                fitting = [version for version in table.get(one.name, {}) if one.specifier.contains(version)]
                if not fitting:
                    raise StorageError(f"There is no {one}.", remedy="None.")
                yield into / one.name / max(fitting, key=Version)

        def metadata(file):
            name, version = file.parts[-2:]
            return Metadata(name=name, version=version, requires=tuple(table[name][version]))

        monkeypatch.setattr(wheelindex, "choose", newest)
        monkeypatch.setattr(resolving, "metadata_of", metadata)
        return dict(file.parts[-2:] for file in resolving.resolve(needed, folder, tell=lambda _: None))

    return choose


@pytest.fixture
def chosen(monkeypatch, tmp_path):
    """Choose from a table."""
    return choosing(monkeypatch, tmp_path)


def test_conditions_are_of_the_platform_python_and_extras(chosen):
    table = {
        "a": {"1": [
            'arm; platform_machine == "aarch64"', 'intel; platform_machine == "x86_64"',
            'new; python_version >= "3.12"',
            'old; python_full_version < "3.12"', 'mac; sys_platform == "darwin"', 'more; extra == "more"', "b[fast]",
        ]},
        "b": {"1": ['quick; extra == "fast"', 'slow; extra == "slow"']},
        **{name: {"1": []} for name in ("arm", "intel", "new", "old", "quick")},
    }  # fmt: skip
    assert {*chosen(table, wheels("a"))} == {"a", "b", "arm", "new", "quick"}
    assert {*chosen(table, wheels("a", python="3.11", platform="linux/x86_64"))} == {"a", "b", "intel", "old", "quick"}


def test_names_are_one_however_they_are_written(chosen):
    table = {"a-b": {"1": ["C_d"]}, "c-d": {"1": ["A.B>=1"]}}
    assert chosen(table, wheels("A_b==1")) == {"a-b": "1", "c-d": "1"}


@pytest.mark.parametrize(
    ("requires", "reason"),
    [
        ("b @ https://host/b.whl", "from an address of its own"),
        ("b >= ; =", "is no requirement"),
        ("-r x", "no requirem"),
    ],
)
def test_what_is_no_name_of_the_index_is_refused(chosen, requires, reason):
    with pytest.raises(IntegrityError, match=reason):
        chosen({"a": {"1": [requires]}, "b": {"1": []}}, wheels("a"))


def test_what_is_chosen_first_gives_way_to_what_others_can_do_with(chosen):
    table = {"a": {"1": ["b", "c"]}, "b": {"2": ["d"], "1": []}, "c": {"1": ["b<2"]}, "d": {"1": []}}
    assert chosen(table, wheels("a")) == {"a": "1", "b": "1", "c": "1"}


def test_what_never_fits_ends(chosen):
    table = {"a": {"1": ["b"]}, "b": {"1": ["a>1"], "0": []}}
    with pytest.raises(StorageError, match=r"no a"):
        chosen(table, wheels("a==1"))
    # Each of two takes back what the other was chosen for.
    table = {"a": {"2": ["b<2"], "1": ["b"]}, "b": {"2": ["a"], "1": ["a<2"]}}
    assert chosen(table, wheels("a")) in ({"a": "1", "b": "2"}, {"a": "1", "b": "1"})


NAMES = st.sampled_from("abcd")
SPECIFIERS = st.sampled_from(["", ">=2", "<2", "==1", "!=3"])
REQUIREMENTS = st.builds(str.__add__, NAMES, SPECIFIERS)
VERSIONS = st.dictionaries(st.sampled_from("123"), st.lists(REQUIREMENTS, max_size=3), min_size=1)


@given(table=st.dictionaries(NAMES, VERSIONS), roots=st.lists(REQUIREMENTS, min_size=1, max_size=3))
def test_what_is_chosen_fits_together_and_nothing_else_is(table, roots):
    with pytest.MonkeyPatch.context() as patch:
        try:
            found = choosing(patch, Path("nowhere"))(table, wheels(*roots))
        except StorageError:
            return
    asked = [*map(Requirement, roots)]
    for name, version in found.items():
        asked += map(Requirement, table[name][version])
    assert all(one.specifier.contains(found[one.name]) for one in asked)
    assert {one.name for one in asked} == found.keys()
