"""Texts: any bytes at all, against Python's own regular expressions, lower case and decoder."""

from __future__ import annotations

import json
import math
import shutil
import struct
import subprocess
import unicodedata
from pathlib import Path
from random import Random

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from mlopskit.builtin.portable.loader.document import parse
from mlopskit.builtin.portable.loader.scorer import _compiled

from .conftest import CAREFUL, STRICT, needs, run

pytestmark = pytest.mark.live
SIGNS = "abcdeéüßİ\u0131Σςσ漢字 \t.,-_'1２x\u0301\u0345\u00ad😀ǅ\ufb01\u1e9e\xa0\u1fb3각ㅏ\ufdfa½\x1c:"  # noqa: RUF001  # look-alikes are the point
SETS = ["word", "digit", "space", "not_word", "not_digit", "not_space"]


def part(random):
    least = random.choice([1, 1, 2, 3])
    if random.random() < 0.25:
        return {"boundary": True, "sets": [], "ranges": [], "not": False, "least": 0, "most": 0}
    most = random.choice([None, least, least + random.randrange(3)])
    low = random.choice([0, 0x61, 0xE0, 0x3A0])
    ranges = random.choice([[], [low, low + random.randrange(40)], [0x2C, 0x2E, 0x61, 0x63]])
    sets = random.sample(SETS, random.randrange(3)) or ([] if ranges else ["word"])
    return {
        "boundary": False,
        "sets": sets,
        "ranges": ranges,
        "not": random.random() < 0.2,
        "least": least,
        "most": most,
    }


def pattern(random):
    """Return the parts of a random pattern, of which at most two have no end."""
    parts = [part(random) for _ in range(random.randrange(1, 5))]
    while all(one["boundary"] for one in parts):
        parts.append(part(random))
    for one in [one for one in parts if one["most"] is None][2:]:
        one["most"] = 4
    return parts


def text_of(random):
    signs = random.choice([SIGNS, SIGNS, "ab1 .", "AΣ' .", "ab", "".join(map(chr, random.choices(range(0x3000), k=9)))])
    return "".join(random.choices(signs, k=random.choice([0, 1, 2, 5, 12, 30])))


def document(random, number):
    """Return a document of one random analyzer; each term's count changes the answer by an amount of its own."""
    least, kind = random.choice([1, 1, 2, 3]), ["word", "word", "char", "char_wb"][number % 4]
    fields = {
        "lowercase": random.random() < 0.6,
        "accents": random.choice([None, None, "ascii", "unicode"]),
        "analyzer": kind,
        "pattern": pattern(random) if kind == "word" else None,
        "stop_words": random.choice([[], ["a", "ab", "σς", ""]]),
        "ngrams": [least, least + random.randrange(3)],
        "binary": random.random() < 0.3,
    }
    if number % 5 == 4:
        width = random.choice([1, 7, 64])
        step = {"op": "hash", "from": [0], "width": width, "signs": random.random() < 0.5, **fields}
    else:
        terms = {text_of(random)[:6] for _ in range(300)} | {
            "".join(random.choices("ab1 ", k=n % 5)) for n in range(200)
        }
        width, step = len(terms), {"op": "count", "from": [0], "terms": sorted(terms), **fields}
    linear = {"op": "linear", "from": [1], "weights": [[math.sqrt(n + 2) for n in range(width)]], "bias": [0.5]}
    outputs = [{"name": "prediction", "from": 2, "at": 0, "labels": None}]
    inputs = [{"name": "text", "type": "text"}]
    return {"format_version": 1, "inputs": inputs, "steps": [step, linear], "outputs": outputs}


def asking(program, documents, *options):
    """Return what asks models in C for texts as bytes, each with the number of a model."""
    needs("gcc")
    cases = ""
    for number, one in enumerate(documents):
        program.model(one, f"m{number}")
        cases += f"""    case {number}: {{
        static m{number}_work work;
        m{number}_row row = {{{{data, size}}}};
        m{number}_answer answer;
        int code = m{number}_predict(&row, &answer, &work);
        *number = code ? 0 : answer.prediction;
        return code;
    }}
"""
    includes = "".join(f'#include "m{number}.h"\n' for number in range(len(documents)))
    head = "static int ask(int32_t model, const char *data, size_t size, double *number)"
    program.file("asks.h", f"{includes}{head}\n{{\n    switch (model) {{\n{cases}    }}\n    return -1;\n}}\n")
    shutil.copy(Path(__file__).with_name("asked.c"), program.folder)
    compiled = program.compiled(*options)

    def ask(questions):
        sizes = [(model, -1 if data is None else len(data), data or b"") for model, data in questions]
        given = b"".join(struct.pack("=ii", model, size) + data for model, size, data in sizes)
        done = subprocess.run([compiled], input=given, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        lines = [line.split() for line in done.stdout.decode().splitlines()]
        return [None if code != "0" else float(number) for code, number in lines]

    return ask


def answers(documents):
    """Return what answers the same questions in Python; None: refused."""
    runs = [_compiled(parse(json.dumps(one).encode()).steps) for one in documents]

    def ask(model, data):
        try:
            return runs[model]([None if data is None else data.decode()])[2][0]
        except ValueError:  # not UTF-8, or no text
            return None

    return ask


def spoilt(random, data):
    """Return bytes with a few changed, left out, or put in between."""
    made = bytearray(data)
    for _ in range(random.randrange(3)):
        at = random.randrange(len(made) + 1)
        made[at : at + random.randrange(2)] = random.choice(
            [b"", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2", b"\xf4\x90\x80\x80"]
        )
    return bytes(made)


def check(program, seed, count, *options):
    random = Random(seed)
    documents = [document(random, number) for number in range(count)]
    ask, wanted = asking(program, documents, *options), answers(documents)
    questions = [(0, None), (0, b"")]
    for number in range(count * 120):
        data = text_of(random).encode()
        questions.append((number % count, spoilt(random, data) if number % 3 == 0 else data))
    for question, got in zip(questions, ask(questions), strict=True):
        want = wanted(*question)
        near = got is want is None or (None not in (got, want) and abs(got - want) <= 1e-12 * max(1, abs(want)))
        assert near, (documents[question[0]]["steps"][0], question, got, want)


def test_random_bytes_through_random_analyzers(program):
    check(program, 1, 14, *CAREFUL)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_more_random_bytes_through_random_analyzers(seed, program):
    check(program, seed, 40, *CAREFUL)


LANGUAGES = Path(__file__).with_name("languages.txt").read_text("utf-8").splitlines()


def many_texts(count):
    random, made = Random(3), []
    for _ in range(count):
        words = random.choices(random.choice(LANGUAGES).split(), k=random.randrange(1, 15))
        words += random.choices(random.choice(LANGUAGES).split(), k=random.randrange(3))
        ways = [str, str, str, str.upper, str.title, lambda word: unicodedata.normalize("NFD", word)]
        separator = random.choice([" ", " ", ", ", "\u3000", "\n", "-", "\xa0", ".'"])
        made.append(separator.join(random.choice(ways)(word) for word in words))
    return made


def test_two_thousand_texts_of_many_languages(program, asked, record_property):
    needs("gcc")
    texts = many_texts(2000)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=20))
    given = asked(model.fit(texts, [n % 2 for n in range(2000)]), {"text": {"type": "string"}})
    own = model.predict_proba(texts)
    golden = [
        ({"text": text}, {"prediction": int(yes > no), "probability.0": no, "probability.1": yes})
        for text, (no, yes) in zip(texts, own.tolist(), strict=True)
    ]
    program.selftest("model", given.document, golden, 1e-10)
    said = run(program.compiled(*STRICT, "-O1")).splitlines()[-1]
    assert said.startswith("2000 golden rows, 0 mismatches, 0 ties")
    record_property("figure: 2,000 texts of many languages in C, largest difference to scikit-learn", said.split()[-1])


def test_a_text_of_ten_megabytes_needs_no_room_of_its_own(program):
    word = {"boundary": False, "sets": ["word"], "ranges": [], "not": False, "least": 2, "most": None}
    step = {"op": "count", "from": [0], "terms": ["dog", "dog ete", "missing"], "analyzer": "word", "pattern": [word]}
    step |= {"lowercase": True, "accents": "unicode", "stop_words": [], "ngrams": [1, 2], "binary": False}
    linear = {"op": "linear", "from": [1], "weights": [[1, 1_000_000, 0.5]], "bias": [0]}
    one = document(Random(0), 0) | {"steps": [step, linear]}
    ask = asking(program, [one], *STRICT, "-O2")
    assert ask([(0, "Dog \u00c9te\u0301! ".encode() * 800_000), (0, b"x" * 10_000_000)]) == [800_000 * 1_000_001, 0.0]
