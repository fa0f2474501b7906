import re
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.runtime import names
from mlopskit.runtime.errors import UnsafeNameError, UnsafePathError

HOSTILE = [
    "", " ", ".", "..", "...", "/", "//", "\\", "../x", "..\\x", "x/..", "x/../y", "x/./y", "./x", "x//y", "x/", "/x",
    "/etc/passwd", "~", "~root", "~/x", "C:", "C:x", "C:\\x", "c:/x", "\\\\host\\share", "//host/share", "\\\\?\\C:\\x",
    "a\\b", "a\0", "a\0.json", "a\n", "a\r\nb", "a\tb", "\x1b[31m", "a\x7f", "a\u202etxt", "a\u200b", "\ufeffa",
    "\uff41",
    "ä", "a\u0308", "ﬁ", "\u212a", "ﾊ", "\ud800", "CON", "con", "nul.txt", "aux.", "com1", "lpt9.tar.gz", "a.", "a..",
    "a ", " a", "a:stream", "a.txt::$DATA", "%2e%2e", "..%2f", "%252e%252e%252fx", "a%00", "a?b", "a#b", "a;b", "a*b",
    "$(x)", "`x`", "-rf", ".git", ".hidden/x", ".git/config", "x" * 300, "a/" * 150 + "a", "{{7*7}}", "<b>", "'", '"',
]  # fmt: skip
NO_STRINGS = [None, 1, 1.0, True, b"a", ["a"], {"a": 1}]
MALFORMED_DIGESTS = [
    "", "sha256:", "a" * 64, "sha256:" + "a" * 63, "sha256:" + "a" * 65, "sha256:" + "A" * 64, "SHA256:" + "a" * 64,
    "sha512:" + "a" * 64, "sha256:" + "g" * 64, "sha256:" + "a" * 64 + "\n", " sha256:" + "a" * 64,
    "sha256:sha256:" + "a" * 64, "sha256:" + "../" * 21 + "a", "sha256-" + "a" * 64, "sha256:" + "\u0661" * 64,
    "sha256:" + "a" * 62 + "%2", "md5:" + "a" * 32,
]  # fmt: skip
RESERVED = {"CON", "PRN", "AUX", "NUL"} | {device + digit for device in ("COM", "LPT") for digit in string.digits}


def survives(name):
    """Say whether NTFS, APFS and ext4 all keep this name, and no two such names are one to any of them but by case."""
    stem = name.split(".")[0].upper()
    return (
        0 < len(name.encode()) <= 255
        and not set(name) & set('<>:"/\\|?*')
        and all(ord(character) > 31 for character in name)
        and not name.endswith((" ", "."))
        and stem not in RESERVED
        and name not in (".", "..")
        and unicodedata.normalize("NFC", name) == unicodedata.normalize("NFD", name) == name
    )


@pytest.mark.parametrize("value", HOSTILE + NO_STRINGS, ids=ascii)
def test_a_hostile_name_is_refused_and_shown_harmlessly(value):
    with pytest.raises(UnsafeNameError, match=r"The alias .* is not allowed") as caught:
        names.check_name(value, kind="alias")
    assert caught.value.value == value or value is caught.value.value
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", HOSTILE + NO_STRINGS, ids=ascii)
def test_a_hostile_path_is_refused_and_shown_harmlessly(value):
    with pytest.raises(UnsafePathError, match="is not allowed in a package") as caught:
        names.check_path(value)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
def test_a_hostile_part_spoils_a_path(value):
    with pytest.raises(UnsafePathError):
        names.check_path(f"code/{value}/model.py")


@pytest.mark.parametrize("value", MALFORMED_DIGESTS + NO_STRINGS + HOSTILE, ids=ascii)
def test_a_malformed_digest_is_refused(value):
    for check in (names.check_digest, names.hex_of):
        with pytest.raises(UnsafeNameError, match="is not a digest"):
            check(value)


def test_a_digest_is_a_folder_name_without_its_prefix():
    assert names.hex_of("sha256:" + "0a" * 32) == "0a" * 32


@pytest.mark.parametrize(
    "name", ["a", "0", "sentiment", "a.b_c-d", "x" * 63, "console", "com10", "nul-", "json", "a.jsonl"]
)
def test_plain_names_are_taken(name):
    assert names.check_name(name) == name
    assert names.check_path(name) == name


def test_an_alias_cannot_take_the_place_of_anothers_hint():
    with pytest.raises(UnsafeNameError, match=r"not ending with '\.' or '\.json'"):
        names.check_name("production.json")


@given(
    st.one_of(st.text(max_size=70), st.from_regex(r"[a-zA-Z0-9_.-]{1,64}", fullmatch=True), st.sampled_from(HOSTILE))
)
def test_whatever_is_accepted_survives_every_file_system(text):
    for check in (names.check_name, names.check_path):
        try:
            accepted = check(text)
        except (UnsafeNameError, UnsafePathError):
            continue
        assert accepted == text
        assert all(survives(part) for part in text.split("/"))
        assert re.fullmatch(r"[A-Za-z0-9._/-]+", text)


@pytest.mark.parametrize(
    "paths",
    [
        ["Model.onnx", "model.onnx"],
        ["code/a.py", "CODE/A.py"],
        ["a", "a"],
        ["a", "a/b"],
        ["a/b/c", "A/B"],
        ["x", "a/b", "a"],
    ],
)
def test_paths_that_fall_together_are_refused(paths):
    with pytest.raises(UnsafePathError, match=r"are one file on some systems|is a file and the folder of"):
        names.check_paths(paths)


def test_paths_beside_one_another_are_taken():
    paths = ["a/b", "a/c", "ab", "a.b", "b/a"]
    assert names.check_paths(iter(paths)) == paths


def test_the_longest_path_is_taken_and_a_longer_one_refused():
    assert names.check_path("/".join(["a" * 39] * 5))
    with pytest.raises(UnsafePathError):
        names.check_path("/".join(["a" * 39] * 5) + "bb")


def test_a_value_too_large_to_show_is_shown_by_its_type():
    assert names.shown(10**5000) == "a int too large to show"
    assert names.shown("x" * 100, most=10) == "'xxxxxx..."
