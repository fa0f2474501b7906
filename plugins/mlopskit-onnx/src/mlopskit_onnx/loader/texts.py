"""What is done to texts before the graph: what no node of ONNX does as Python does. Every runtime can do these.

`lower` is the full lower-casing of Unicode; `accents-unicode` decomposes (NFKD) and drops what has a combining class,
`accents-ascii` what is not ASCII, of texts that are not all ASCII; `spaces` makes one space of two or more white
spaces; `words` gives each word a space before and behind, and joins them by U+FFFF.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

# Code points that stand for no sign: the first is a text that is missing, the second one that is none (a surrogate).
MISSING, BROKEN = "\uffff", "\ufffe"
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"\s\s+")


def _unicode(text: str) -> str:
    if text.isascii():
        return text
    return "".join([sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign)])


def _ascii(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def _words(text: str) -> str:
    return MISSING.join([f" {word} " for word in text.split()])


STEPS: Mapping[str, Callable[[str], str]] = {
    "lower": str.lower,
    "accents-unicode": _unicode,
    "accents-ascii": _ascii,
    "spaces": lambda text: _SPACES.sub(" ", text),
    "words": _words,
}


def whole(text: str, /) -> str:
    """Return a text that can be written in UTF-8: for a surrogate without its other half stands U+FFFE."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(BROKEN, text)
    return text
