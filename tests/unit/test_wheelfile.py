"""Wheels from anywhere: what they hold is looked at before anything is used, and unpacked alike everywhere."""

from __future__ import annotations

import hashlib
import stat
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit import wheelfile
from mlopskit.errors import ConflictError, IntegrityError, LimitError, PackageError, UnsafePathError

NAME = "tool-1.0-py3-none-any.whl"
GOOD = {
    "tool/__init__.py": b"",
    "tool/tests/__init__.py": b"",
    "tool/tests/test_tool.py": b"assert",
    "tool/include/tool.h": b"int x;",
    "tool/tool.pxd": b"",
    "tool/__pycache__/__init__.cpython-311.pyc": b"x",
    "tool/data.json": b"{}",
    "tool-1.0.data/scripts/tool": b"#!python",
    "tool-1.0.data/headers/tool.h": b"",
    "tool-1.0.data/platlib/tool/fast.so": b"\x7fELF",
    "tool-1.0.dist-info/licenses/LICENSE": b"MIT",
    "tests/__init__.py": b"",
}
KEPT = {
    "tests/__init__.py",
    "tool/__init__.py",
    "tool/data.json",
    "tool/fast.so",
    "tool-1.0.dist-info/METADATA",
    "tool-1.0.dist-info/WHEEL",
    "tool-1.0.dist-info/licenses/LICENSE",
}


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def added(file, name, data=b"", *, mode=0, **facts):
    """Add a member to a wheel, as an evil hand would."""
    info = zipfile.ZipInfo("placeholder")
    info.filename = info.orig_filename = name
    info.external_attr = mode << 16
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(info, data)
    for fact, value in facts.items():
        assert fact == "flags"
        content = bytearray(file.read_bytes())
        at = content.rindex(b"PK\x01\x02")
        content[at + 8 : at + 10] = value.to_bytes(2, "little")
        file.write_bytes(content)
    return file


def test_what_is_unpacked_and_what_is_left_out(make_wheel, tmp_path):
    wheelfile.unpack([make_wheel(tmp_path, "tool", files=GOOD)], tmp_path / "site")
    found = files_below(tmp_path / "site")
    assert found.keys() == KEPT
    assert {stat.S_IMODE(path.stat().st_mode) for path in found.values()} == {0o644}
    assert found["tool/fast.so"].read_bytes() == b"\x7fELF"


def test_the_same_wheels_give_the_same_folder_in_any_order(make_wheel, tmp_path, umask_of_none):
    del umask_of_none
    wheels = [make_wheel(tmp_path, name, files={f"{name}/__init__.py": b"x"}) for name in ("b", "a", "c")]
    digests = []
    for number, order in enumerate((wheels, wheels[::-1])):
        wheelfile.unpack(order, tmp_path / str(number))
        found = files_below(tmp_path / str(number))
        digests.append(
            {name: (hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mode) for name, path in found.items()}
        )
    assert digests[0] == digests[1]


def test_what_it_says_of_itself(make_wheel, tmp_path):
    file = make_wheel(tmp_path, "Some.Tool", "2.0", requires=["numpy>=2", 'colorama; sys_platform == "win32"'])
    said = wheelfile.metadata_of(file.rename(tmp_path / "Some.Tool-2.0-py3-none-any.whl"))
    assert (said.name, said.version) == ("some-tool", "2.0")
    assert said.requires == ("numpy>=2", 'colorama; sys_platform == "win32"')


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py", "tool/../../evil.py", "/etc/evil", "tool//evil.py", "./evil.py", "tool/./evil.py", "..", "",
        "C:/evil.py", "c:evil.py", "tool\\..\\evil.py", "\\\\host\\evil", "tool/evil\n.py", "tool/\x1b[1A",
        "tool/evil\x00.py",
    ],
)  # fmt: skip
def test_a_path_that_leaves_the_folder_is_refused(make_wheel, tmp_path, name):
    file = added(make_wheel(tmp_path / "in", "tool"), name, b"evil")
    for act in (wheelfile.metadata_of, lambda file: wheelfile.unpack([file], tmp_path / "site")):
        with pytest.raises(UnsafePathError, match=r"'tool-1\.0-py3-none-any\.whl' holds"):
            act(file)
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_what_is_no_plain_file_is_refused(make_wheel, tmp_path, mode):
    file = added(make_wheel(tmp_path, "tool"), "tool/evil.py", b"/etc/passwd", mode=mode | 0o777)
    with pytest.raises(UnsafePathError, match="no plain file but a link"):
        wheelfile.metadata_of(file)


def test_a_member_that_stands_there_twice_is_refused(make_wheel, tmp_path):
    file = make_wheel(tmp_path, "tool", files={"tool.py": b"good"})
    with pytest.warns(UserWarning, match="Duplicate name"):
        added(file, "tool.py", b"evil")
    with pytest.raises(UnsafePathError, match=r"'tool\.py' a second time"):
        wheelfile.unpack([file], tmp_path / "site")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"tool/a.py": b"1", "tool/A.py": b"2"}, "are one file on some systems"),
        ({"tool": b"1", "tool/a.py": b"2"}, "is a file and the folder of"),
        ({"tool/a.py": b"1", "tool-1.0.data/purelib/tool/a.py": b"2"}, "are one file on some systems"),
        ({"tool/nul.py": b"1"}, "is not allowed in a package"),
        ({"tool/a b.py": b"1"}, "is not allowed in a package"),
        ({f"tool/{'a' * 100}/{'b' * 100}.py": b"1"}, "is not allowed in a package"),
    ],
)
def test_what_cannot_stand_in_a_bundle_is_refused(make_wheel, tmp_path, files, reason):
    with pytest.raises(UnsafePathError, match=reason) as caught:
        wheelfile.unpack([make_wheel(tmp_path, "tool", files=files)], tmp_path / "site")
    assert NAME in str(caught.value)


def test_members_of_a_form_that_wheels_do_not_have(make_wheel, tmp_path):
    file = added(make_wheel(tmp_path, "tool"), "tool/secret.py", b"x", flags=0x1)
    with pytest.raises(UnsafePathError, match="in a form that wheels do not have"):
        wheelfile.metadata_of(file)
    file = make_wheel(tmp_path, "tool")
    with zipfile.ZipFile(file, "a", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("tool/bomb.bin", bytes(1000))
    with pytest.raises(UnsafePathError, match="in a form that wheels do not have"):
        wheelfile.metadata_of(file)


def test_too_many_or_too_large_members(make_wheel, tmp_path, monkeypatch):
    file = make_wheel(tmp_path, "tool", files={"tool.bin": bytes(100_000)})
    monkeypatch.setattr(wheelfile, "MAX_SIZE", 100_000)
    with pytest.raises(LimitError, match="members of 100,"):
        wheelfile.unpack([file], tmp_path / "site")
    monkeypatch.undo()
    monkeypatch.setattr(wheelfile, "MAX_MEMBERS", 3)
    with pytest.raises(LimitError, match="has 4 members"):
        wheelfile.metadata_of(file)
    assert not (tmp_path / "site").exists()


def test_a_member_cannot_be_larger_than_it_says(make_wheel, tmp_path):
    file = make_wheel(tmp_path, "tool", files={"tool.bin": bytes(1 << 20)})
    content = bytearray(file.read_bytes())
    at = content.index(b"tool.bin", content.index(b"PK\x01\x02")) - 46
    content[at + 24 : at + 28] = (5).to_bytes(4, "little")
    file.write_bytes(content)
    with pytest.raises(IntegrityError, match="cannot be unpacked"):
        wheelfile.unpack([file], tmp_path / "site")
    assert sum(path.stat().st_size for path in files_below(tmp_path / "site").values()) < 2000


@pytest.mark.parametrize("said", ["Name: other\nVersion: 1.0\n", "Name: tool\nVersion: 2.0\n", "", "\x00\xff"])
def test_a_wheel_that_is_another_than_its_name_says(tmp_path, said):
    with zipfile.ZipFile(tmp_path / NAME, "w") as archive:
        archive.writestr("tool-1.0.dist-info/METADATA", said)
    with pytest.raises(IntegrityError, match="says that it is"):
        wheelfile.metadata_of(tmp_path / NAME)


@pytest.mark.parametrize(
    "names", [[], ["a-1.dist-info/METADATA", "b-1.dist-info/METADATA"], ["x/a.dist-info/METADATA"]]
)
def test_a_zip_file_that_is_no_wheel(tmp_path, names):
    with zipfile.ZipFile(tmp_path / NAME, "w") as archive:
        for name in names:
            archive.writestr(name, "Name: tool\nVersion: 1.0\n")
    with pytest.raises(IntegrityError, match="does not have one METADATA"):
        wheelfile.metadata_of(tmp_path / NAME)


def test_two_wheels_with_one_path(make_wheel, tmp_path):
    wheels = [make_wheel(tmp_path, name, files={"shared/__init__.py": b"", f"{name}.py": b""}) for name in ("a", "b")]
    wheelfile.unpack(wheels, tmp_path / "site")
    wheels.append(make_wheel(tmp_path, "c", files={"shared/__init__.py": b"other"}))
    with pytest.raises(ConflictError, match=r"'a-1\.0-py3-none-any\.whl' and 'c-1\.0-.*hold another file"):
        wheelfile.unpack(wheels, tmp_path / "again")
    wheels[2] = make_wheel(tmp_path, "d", files={"Shared/__init__.py": b""})
    with pytest.raises(UnsafePathError, match="are one file on some systems"):
        wheelfile.unpack(wheels, tmp_path / "third")


@given(st.data())
def test_a_damaged_wheel_is_unpacked_as_it_was_or_refused(tmp_path_factory, make_wheel, data):
    folder = tmp_path_factory.mktemp("damaged")
    file = make_wheel(folder, "tool", files={"tool.py": b"print(1)\n" * 20})
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        wheelfile.unpack([file], folder / "site")
    except PackageError:
        return
    assert all(
        path.is_relative_to(folder / "site") for path in folder.rglob("*") if path not in (file, folder / "site")
    )
