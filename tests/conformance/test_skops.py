"""The format `skops` keeps the contract of formats."""

import pytest

from mlopskit.builtin.skops.format import SkopsFormat
from mlopskit.testing import FormatConformance


class TestSkops(FormatConformance):
    @pytest.fixture
    def format(self):
        return SkopsFormat()
