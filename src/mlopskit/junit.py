"""A verdict as JUnit XML, which build systems show: a test case for each gate and each behavioural test."""

from __future__ import annotations

import xml.etree.ElementTree as ET  # it is written here, never read
from collections.abc import Sequence

from mlopskit.gates import Verdict
from mlopskit.tables import plain

_BEHAVIOUR = "behavioural tests"


def junit(verdict: Verdict, cases: Sequence[tuple[str, str | None]] = (), /) -> str:
    """Return a verdict as JUnit XML, without times; `cases` are behavioural tests, each with why it failed or None.

    Characters that XML cannot hold, or that do not print, are replaced.
    """
    gates = [(one.gate, one.reason, one.passed) for one in verdict.findings if not (cases and one.gate == _BEHAVIOUR)]
    results = [("gates", *gate) for gate in gates]
    results += [("behaviour", name, failure or "", failure is None) for name, failure in cases]
    failed = sum(not passed for *_, passed in results)
    counts = {"tests": str(len(results)), "failures": str(failed), "errors": "0", "skipped": "0"}
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": f"mlopskit {plain(verdict.name)}", **counts})
    properties = ET.SubElement(suite, "properties")
    for name, value in (("package", verdict.digest), ("dataset", verdict.dataset), ("overlap", verdict.overlap)):
        ET.SubElement(properties, "property", {"name": name, "value": plain(value)})
    for kind, name, reason, passed in results:
        case = ET.SubElement(
            suite, "testcase", {"classname": f"{plain(verdict.name)}.{kind}", "name": plain(name), "time": "0"}
        )
        if not passed:
            ET.SubElement(case, "failure", {"message": plain(reason)}).text = plain(reason)
        elif reason:
            ET.SubElement(case, "system-out").text = plain(reason)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'
