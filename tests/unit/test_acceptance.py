from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlopskit as mk
from mlopskit.acceptance import check_gates, check_measurements, endpoint_gates
from mlopskit.cli import run
from mlopskit.errors import ConfigError, PluginError, RefusedError


def receipt(**measurements: float) -> mk.Receipt:
    return mk.Receipt(
        package="sha256:1", place="local", rows=1, ties=0, mismatches=(), largest_difference=0.0, runtime={},
        measurements=measurements,
    )  # fmt: skip


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from(["<=", ">="]))
def test_the_plain_value_is_compared_with_the_limit(value: float, limit: float, op: str) -> None:
    gates = endpoint_gates([f"bundle_mb {op} {limit!r}"])
    kept = value <= limit if op == "<=" else value >= limit
    if kept:
        check_gates(gates, receipt(bundle_mb=value), endpoint="e")
    else:
        with pytest.raises(RefusedError, match=r"refused by the endpoint 'e': bundle_mb .=.*\(measured"):
            check_gates(gates, receipt(bundle_mb=value), endpoint="e")


def test_every_gate_that_is_not_kept_is_named() -> None:
    gates = endpoint_gates(["a_mb <= 1", "b_mb <= 1", "c_mb <= 1"])
    with pytest.raises(RefusedError) as refused:
        check_gates(gates, receipt(a_mb=2.0, b_mb=1.0, c_mb=3.5), endpoint="e")
    assert "a_mb <= 1 (measured 2); c_mb <= 1 (measured 3.5)" in refused.value.message
    with pytest.raises(RefusedError, match=r"change the limit in .* 'e'\. Leave out of the gates of the endpoint 'e'"):
        check_gates(endpoint_gates(["a_mb <= 1", "d_mb <= 1"]), receipt(a_mb=2.0), endpoint="e")


@pytest.mark.parametrize(
    ("gate", "says"),
    [
        ("cold_start_ms[source=movies] <= 5", "a measurement has no slices"),
        ("cold_start_ms[source=*] <= 5", "a measurement has no slices"),
        ("cold_start_ms <= production + 5", "compared with a number, and not with 'production'"),
        ("cold_start_ms <= production", "compared with a number"),
        ("cold_start_ms.value <= 5", "a plain value anyway"),
        ("recall(Positive) <= 5", "'recall(Positive)' is no name"),
        ("Cold <= 5", "'Cold' is no name"),
        ("cold_start_ms < 5", "is not a gate"),
        ("cold_start_ms <= inf", "is not a gate|compared with a number"),
        ("cold_start_ms", "is not a gate"),
        ("", "is not a gate"),
        ("x <= 1\n; rm", "is not a gate"),
    ],
)
def test_gates_that_cannot_be_meant_of_an_endpoint_are_refused(gate: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("(", r"\(").replace(")", r"\)")) as refused:
        endpoint_gates([gate])
    assert "'cold_start_ms <= 1000'" in refused.value.remedy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cold_start_ms", math.nan), ("a", math.inf), ("a", -1), ("a", True), ("a", "1"), ("a", None), ("A", 1),
        ("", 1), ("a b", 1), ("a\n", 1),
    ],
)  # fmt: skip
def test_what_is_no_measurement_is_the_plugins_fault(name: str, value: Any) -> None:
    with pytest.raises(PluginError, match="The target 't', answering as 'local', measured"):
        check_measurements(mk.Answer(rows=[], digest="", runtime={}, place="local", measurements={name: value}), "t")


def test_under_an_emulator_sizes_are_measured_and_no_times() -> None:
    about: dict[str, Any] = {"rows": [], "digest": "", "runtime": {}, "place": "emulated"}
    check_measurements(mk.Answer(**about, measurements={"bundle_mb": 1, "memory_mb": 2.5}), "t")
    with pytest.raises(PluginError, match="'emulated', measured 'cold_start_ms'"):
        check_measurements(mk.Answer(**about, measurements={"cold_start_ms": 84.0}), "t")


def with_gates(gates: str, key: str = "gates") -> None:
    file, table = Path("mlopskit.toml"), "[endpoint.production]\n"
    file.write_text(file.read_text().replace(table, f"{table}{key} = {gates}\n"))


def test_gates_in_the_file_refuse_a_deployment_and_warn_of_a_rollback(
    project: mk.Project, capsys: Any, caplog: pytest.LogCaptureFixture
) -> None:
    live, deployed = project.deployer("production").live(project.name), project.history("production")
    with_gates('["cold_start_ms <= 1000"]')
    assert run(["deploy", "production"]) == 1
    said = capsys.readouterr().err
    assert "cold_start_ms <= 1000 (There is no measurement 'cold_start_ms'" in said
    assert "Leave out of the gates of the endpoint 'production' what is not measured there" in said
    assert project.deployer("production").live(project.name) == live
    assert project.history("production") == deployed
    assert run(["rollback", "production", "--to", project.package().digest]) == 0
    assert "though it would be refused as a deployment" in caplog.text
    assert "cold_start_ms <= 1000 (There is no measurement 'cold_start_ms'" in caplog.text


@pytest.mark.parametrize(
    ("gates", "says"),
    [
        (
            '["accuracy >= production - 0.01"]',
            "mlopskit.toml [endpoint.production]: 'accuracy >= production - 0.01'",
        ),
        ('"cold_start_ms <= 1000"', "mlopskit.toml [endpoint.production]: gates: expected"),
        ("[5]", "mlopskit.toml [endpoint.production]: gates[0]: expected"),
    ],
)
def test_a_wrong_gate_is_found_when_the_file_is_read(project: mk.Project, capsys: Any, gates: str, says: str) -> None:
    with_gates(gates)
    assert run(["status"]) == 2
    assert says in capsys.readouterr().err


def test_gates_of_the_call_count_beside_those_of_the_endpoint(project: mk.Project, tmp_path: Path) -> None:
    package = project.package()
    for to in ("production", mk.FileShare(to=str(tmp_path / "share"))):
        with pytest.raises(RefusedError, match="memory_mb <= 64"):
            mk.deploy(package, to, gates=["memory_mb <= 64"])
    with pytest.raises(ConfigError, match="is not a gate"):
        mk.deploy(package, "production", gates="small")


def test_a_key_that_is_almost_gates_is_named(project: mk.Project) -> None:
    with_gates('["bundle_mb <= 50"]', key="gate")
    with pytest.raises(ConfigError, match=r"unknown key 'gate'\. Did you mean 'gates'"):
        mk.Project().deployer("production")
