"""A plugin of pytest: what each check said, in full, as JSON, into the file that MLOPSKIT_TEST_OUTCOMES names."""

import json
import os
from pathlib import Path

import pytest


class Outcomes:
    """Of each class, what each check said: nothing if it passed."""

    def __init__(self, file):
        self.file = file
        self.said = {}

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report):
        _, name, check = report.nodeid.partition("[")[0].split("::")
        if report.passed:
            self.said.setdefault(name.removeprefix("Test"), {}).setdefault(check, "")
        else:
            crash = getattr(report.longrepr, "reprcrash", None)
            message = crash.message if crash else str(report.longrepr)
            self.said.setdefault(name.removeprefix("Test"), {})[check] = f"{report.when} {report.outcome}: {message}"

    @pytest.hookimpl
    def pytest_sessionfinish(self):
        self.file.write_text(json.dumps(self.said))


def pytest_configure(config):
    config.pluginmanager.register(Outcomes(Path(os.environ["MLOPSKIT_TEST_OUTCOMES"])))
