"""A portable model as a file of C99 and its header, and the program that asks it for golden rows."""

from mlopskit.builtin.portable.c.program import c_source
from mlopskit.builtin.portable.c.selftest import c_selftest

__all__ = ["c_selftest", "c_source"]
