from __future__ import annotations

from pathlib import Path

import pytest

from mlopskit import config
from mlopskit.errors import ConfigError, UnsafeNameError

WHOLE = """
name = "sentiment"
[data]
uri = "data/*.tsv"
target = "Sentiment"
test = { share = 0.3, by = "group:source" }
[train]
estimator = "sentiment.model:pipeline"
[train.parameters]
C = 4.0
[evaluate]
gates = ["accuracy >= 0.75"]
[package]
golden = { rows = 50, from = "golden.csv" }
[endpoint.production]
target = "fileshare"
to = "shares/production"
"""


def read(folder: Path, text: str | bytes) -> config.Config:
    file = folder / "mlopskit.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return config.read(file)


def test_the_whole_file_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, WHOLE)
    assert found.data.test == config.TestTable(share=0.3, by="group:source")
    assert found.package.golden == config.GoldenTable(rows=50, source="golden.csv")
    assert found.train.parameters == {"C": 4.0}
    assert found.endpoint["production"]["to"] == "shares/production"
    assert found.registry == ".mlopskit/registry"


@pytest.mark.parametrize(
    ("old", "new", "message", "remedy"),
    [
        ("[evaluate]", "[evaluat]", "mlopskit.toml has the unknown key 'evaluat'.", "Did you mean 'evaluate'?"),
        ("uri =", "url =", "mlopskit.toml [data] has the unknown key 'url'.", "Did you mean 'uri'?"),
        ("share = 0.3", "shaer = 0.3", "mlopskit.toml [data] [test] has the unknown key 'shaer'.", "'share'"),
        ("rows = 50", "rows = 1.5", "package.golden.rows: expected `int`, got `float`", "configuration.md"),
        ("share = 0.3", 'share = "much"', "data.test.share: expected `float`, got `str`", "configuration.md"),
        ('target = "Sentiment"', "", "mlopskit.toml [data] lacks the key 'target'.", "Add target"),
        ('name = "sentiment"', "", "mlopskit.toml lacks the key 'name'.", "Add name"),
        ('target = "fileshare"', "", "[endpoint.production] has no target", 'target = "fileshare"'),
        ('gates = ["accuracy >= 0.75"]', 'gates = "accuracy"', "evaluate.gates: expected `array`", "configuration.md"),
        ("from = ", "source = ", "has the unknown key 'source'.", "Known keys: rows, from, tolerance."),
        (
            'test = { share = 0.3, by = "group:source" }',
            "test = 0.3",
            "data.test: expected `object`",
            "configuration.md",
        ),
    ],
)
def test_a_wrong_key_or_type_is_named_with_what_was_meant(
    tmp_path: Path, old: str, new: str, message: str, remedy: str
) -> None:
    assert old in WHOLE
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, WHOLE.replace(old, new))
    assert message in caught.value.message
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", "x" * 64, "\\u0000", "nul", "a\\u202eb"])
@pytest.mark.parametrize("where", ["name = {}", "[endpoint.{}]"])
def test_names_are_checked(tmp_path: Path, name: str, where: str) -> None:
    old = where.format('"sentiment"') if "=" in where else "[endpoint.production]"
    with pytest.raises(UnsafeNameError):
        read(tmp_path, WHOLE.replace(old, where.format(f'"{name}"')))


def test_a_policy_is_read_for_each_alias(tmp_path: Path) -> None:
    found = read(tmp_path, f'{WHOLE}\n[promote.production]\nfrom = "candidate"\napprovals = 2\n[promote.candidate]\n')
    assert found.promote == {
        "production": config.PromoteTable(source="candidate", approvals=2),
        "candidate": config.PromoteTable(),
    }


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("[promote]\nproduction = 1", "promote holds something that is no table"),
        ("[promote.production]\napproval = 1", "unknown key 'approval'"),
        ("[promote.production]\napprovals = true", "approvals: expected `int`"),
        ("[promote.production]\napprovals = -1", "approvals is -1"),
        ('[promote.production]\nfrom = "production"', "from is 'production'"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(tmp_path: Path, policy: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"{WHOLE}\n{policy}\n")
    assert message in caught.value.message


@pytest.mark.parametrize("policy", ['[promote."../x"]', '[promote.production]\nfrom = "A"'])
def test_the_aliases_of_a_policy_are_checked(tmp_path: Path, policy: str) -> None:
    with pytest.raises(UnsafeNameError):
        read(tmp_path, f"{WHOLE}\n{policy}\n")


@pytest.mark.parametrize("digest", ["", "sha256:1", "../x", f"sha256:{'A' * 64}", f"sha256:{'a' * 64}\\n"])
def test_what_is_trusted_are_digests(tmp_path: Path, digest: str) -> None:
    good = f"sha256:{'a' * 64}"
    assert read(tmp_path, f'trust_code = ["{good}"]\n{WHOLE}').trust_code == [good]
    with pytest.raises(ConfigError, match=r"trust_code: .* is not a digest"):
        read(tmp_path, f'trust_code = ["{good}", "{digest}"]\n{WHOLE}')


@pytest.mark.parametrize("text", ["name = ", "a = 1\na = 2", b"\xff\xfe", "[data", b'name = "\xe9"'])
def test_what_is_no_toml_is_refused_with_its_place(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(ConfigError, match="is no TOML"):
        read(tmp_path, text)


def test_a_missing_file_names_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.read(tmp_path / "mlopskit.toml")
    assert "mlopskit init" in caught.value.remedy


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "mlopskit.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        config.read(tmp_path / "mlopskit.toml")
