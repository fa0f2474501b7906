"""The format `portable` keeps the contract of formats."""

import pytest

from mlopskit.builtin.portable.format import PortableFormat
from mlopskit.testing import FormatConformance


class TestPortable(FormatConformance):
    tolerance = 1e-12

    @pytest.fixture
    def format(self):
        return PortableFormat()
