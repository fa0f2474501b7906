"""What a check claims: that something is refused, goes without an error, or is its options. Messages name the fault."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
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


def has_frozen_options(thing: object, /, *, kind: str) -> None:
    """Claim that a thing is its options: the fields of a frozen dataclass, none of them given by position."""
    __tracebackhide__ = True
    made, advice = type(thing), "Put @dataclass(frozen=True, kw_only=True) above the class."
    options = getattr(made, "__dataclass_params__", None)
    assert options is not None, f"The {kind} is no dataclass. {advice}"
    assert options.frozen, f"The {kind}'s options can be changed. {advice}"
    fields = {one.name: one for one in dataclasses.fields(thing)}  # type: ignore[arg-type]
    hints = inspect.get_annotations(made)
    forgotten = [name for name, hint in hints.items() if name not in fields and not _is_no_field(hint)]
    assert not forgotten, f"{forgotten} look like options, but the class that names them is no dataclass. {advice}"
    by_position = [name for name, one in fields.items() if one.init and not one.kw_only]
    assert not by_position, f"The options {by_position} can be given by position. {advice}"


def _is_no_field(hint: object) -> bool:
    """Say whether a hint is one that dataclasses pass over; like them, by its words, for it may be a text."""
    return any(word in str(hint) for word in ("ClassVar", "InitVar", "KW_ONLY"))
