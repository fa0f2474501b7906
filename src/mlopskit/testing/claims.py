"""What a check claims: that something is refused, or goes without an error. The message names the fault."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def refused(error: type[Exception], /, *, fault: str) -> Iterator[None]:
    """Claim that what is done here raises this error; else the check fails with the fault."""
    __tracebackhide__ = True
    try:
        yield
    except error:
        return
    except Exception as other:
        raise AssertionError(f"{fault} It raised {type(other).__name__} instead: {other}") from other
    raise AssertionError(fault)


@contextlib.contextmanager
def no_error(*, fault: str) -> Iterator[None]:
    """Claim that what is done here raises nothing; else the check fails with the fault."""
    __tracebackhide__ = True
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"{fault} It raised {type(error).__name__}: {error}") from error
