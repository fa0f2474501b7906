"""What mlopskit tells through `logging`: each record is one line of printable text, whatever it quotes."""

from __future__ import annotations

import logging

from mlopskit.runtime.errors import printable


def logger(name: str = "mlopskit", /) -> logging.Logger:
    """Return the logger of a name, whose records are one line each.

    It gets no handler: what is below WARNING is seen only where the program has configured `logging`.
    """
    found = logging.getLogger(name)
    found.addFilter(_one_line)
    return found


def one_line(text: str, /) -> str:
    r"""Return a text as one line that a terminal shows and does not obey.

    >>> one_line("a.csv\nRun 2 passed\x1b[1A")
    'a.csv\\nRun 2 passed\\x1b[1A'
    """
    return printable(text).replace("\n", "\\n")


def _one_line(record: logging.LogRecord) -> bool:
    said = record.getMessage()
    if (line := one_line(said)) != said:
        record.msg, record.args = line, None
    return True
