"""A portable model as a file of C99 and its header; the programs that answer with it, and ask it for golden rows."""

from mlopskit.builtin.portable.c.answering import c_predict
from mlopskit.builtin.portable.c.program import c_source
from mlopskit.builtin.portable.c.selftest import c_selftest

__all__ = ["c_predict", "c_selftest", "c_source"]
