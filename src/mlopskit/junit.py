"""A verdict as JUnit XML, which build systems show: a test case for each gate and each behavioural test."""

from __future__ import annotations

import xml.etree.ElementTree as ET  # it is written here, never read
from collections.abc import Sequence

from mlopskit.gates import Verdict
from mlopskit.tables import plain

_BEHAVIOUR = "behavioural tests"


def junit(verdict: Verdict, cases: Sequence[tuple[str, str | None]] = (), /) -> str:
    """Return a verdict as JUnit XML, without times; `cases` are behavioural tests, each with why it failed or None.

    Slices that a gate did not judge are a skipped test case. Characters that XML cannot hold, or that do not print, are
    replaced.
    """
    results = [
        ("gates", one.gate, one.reason, "failure" if not one.passed else "system-out" if one.judged else "skipped")
        for one in verdict.findings
        if not (cases and one.gate == _BEHAVIOUR)
    ]
    results += [
        ("behaviour", name, failure or "", "system-out" if failure is None else "failure") for name, failure in cases
    ]
    failed, skipped = (str(sum(tag == wanted for *_, tag in results)) for wanted in ("failure", "skipped"))
    counts = {"tests": str(len(results)), "failures": failed, "errors": "0", "skipped": skipped}
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": f"mlopskit {plain(verdict.name)}", **counts})
    properties = ET.SubElement(suite, "properties")
    for name, value in (("package", verdict.digest), ("dataset", verdict.dataset), ("overlap", verdict.overlap)):
        ET.SubElement(properties, "property", {"name": name, "value": plain(value)})
    for kind, name, reason, tag in results:
        case = ET.SubElement(
            suite, "testcase", {"classname": f"{plain(verdict.name)}.{kind}", "name": plain(name), "time": "0"}
        )
        if tag != "system-out":
            ET.SubElement(case, tag, {"message": plain(reason)}).text = plain(reason)
        elif reason:
            ET.SubElement(case, tag).text = plain(reason)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'
