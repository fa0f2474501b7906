from __future__ import annotations

import pytest
from mlopskit_onnx.format import OnnxFormat

from mlopskit.testing import FormatConformance


class TestOnnx(FormatConformance):
    @pytest.fixture
    def format(self):
        return OnnxFormat()
