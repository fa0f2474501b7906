from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mlopskit.gates import Finding, Verdict
from mlopskit.junit import junit
from mlopskit.tables import plain


def verdict(*findings: Finding) -> Verdict:
    return Verdict(name="mood", digest="sha256:" + "1" * 64, dataset="sha256:" + "2" * 64, findings=findings)


def finding(gate: str, reason: str = "so it is", *, passed: bool = True) -> Finding:
    return Finding(gate=gate, passed=passed, reached=0.5, n=10, reason=reason)


def read(text: str) -> ET.Element:
    return ET.fromstring(text.partition("\n")[2])


def test_each_gate_and_each_behavioural_test_is_a_test_case() -> None:
    failed = finding("behavioural tests", passed=False)
    found = read(
        junit(
            verdict(finding("a >= 1"), finding("b >= 1", "too little", passed=False), failed),
            [("fine", None), ("not", "not: it is.")],
        )
    )
    suite = found.find("testsuite")
    assert suite is not None
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped", "timestamp")} == {
        "tests": "4",
        "failures": "2",
        "errors": "0",
        "skipped": "0",
        "timestamp": None,
    }
    cases = {(case.get("classname"), case.get("name")): case.find("failure") for case in suite.iter("testcase")}
    assert {key: None if one is None else one.get("message") for key, one in cases.items()} == {
        ("mood.gates", "a >= 1"): None,
        ("mood.gates", "b >= 1"): "too little",
        ("mood.behaviour", "fine"): None,
        ("mood.behaviour", "not"): "not: it is.",
    }


def test_the_behavioural_tests_as_a_whole_stand_there_if_the_single_ones_are_not_known() -> None:
    found = read(junit(verdict(finding("behavioural tests", passed=False))))
    assert [case.get("name") for case in found.iter("testcase")] == ["behavioural tests"]


def test_slices_that_were_not_judged_are_skipped() -> None:
    found = read(junit(verdict(finding("a >= 1"), replace(finding("a[b=*] >= 1", "too few"), judged=False))))
    assert found.get("skipped") == "1"
    assert [one.get("message") for one in found.iter("skipped")] == ["too few"]


@given(st.text(), st.text())
def test_whatever_a_name_or_reason_holds_the_file_can_be_read(name: str, reason: str) -> None:
    text = junit(verdict(finding(name, reason, passed=False)), [(name, reason)])
    assert "\x1b" not in text
    for case in read(text).iter("testcase"):
        failure = case.find("failure")
        assert case.get("name") == plain(name)
        assert failure is not None
        assert failure.get("message") == plain(reason)
        assert (failure.text or "") == plain(reason)
