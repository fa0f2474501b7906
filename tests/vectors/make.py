"""Make the test vectors for readers of an alias: `python tests/vectors/make.py`.

Each folder below `alias/` is one vector: `expected.json`, and a place for each of its steps. One reader reads them in
their order and remembers what it saw. `docs/reference/reading.md` says what must come of each. Nothing of mlopskit is
used here, so that what is shown does not rest on what is tested.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "alias"
MODEL, ALIAS = "sentiment", "production"
HINT = f"aliases/{ALIAS}.json"

Tree = dict[str, bytes]


def spell(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def key(seq: int) -> str:
    return f"aliases/{ALIAS}/{seq}/record.json"


# --- packages -------------------------------------------------------------------------------------------------------

_COLUMN = {"additionalProperties": False, "type": "object"}
_SCHEMA = {
    part: {**_COLUMN, "properties": {name: {"type": "number"}}, "required": [name]}
    for part, name in {"inputs": "x", "outputs": "prediction"}.items()
}


def manifest(files: Mapping[str, bytes], **changes: Any) -> dict[str, Any]:
    form = {"files": ["model.json"], "format": "portable", "frame": "arrays", "preprocess": [], "requires": []}
    return {
        "environment": {},
        "evaluation": None,
        "files": {path: {"sha256": sha256(data), "size": len(data)} for path, data in files.items()},
        "format_version": 1,
        "golden": None,
        "models": [form],
        "name": MODEL,
        "provenance": {"settings": {"\ufb00": 1e-07, "\U0001f600": 1.0, 'a "text"\n\x1f': 2**63}},
        "schema": _SCHEMA,
        "task": "regression",
        **changes,
    }


def files_of(number: int) -> Tree:
    return {"model.json": spell({"factor": number}), "data/words.txt": f"word {number}\n".encode(), "empty.txt": b""}


def package(listed: Mapping[str, bytes], data: bytes) -> tuple[Tree, str]:
    """Return the files of a package below its digest, and the digest."""
    folder = f"packages/{sha256(data)}"
    return {f"{folder}/{path}": content for path, content in {**listed, "manifest.json": data}.items()}, (
        f"sha256:{sha256(data)}"
    )


def good(number: int, **changes: Any) -> tuple[Tree, str]:
    files = files_of(number)
    return package(files, spell(manifest(files, **changes)))


PACKAGES = dict(good(number)[::-1] for number in (1, 2, 3))
DIGESTS = ["", *PACKAGES]


# --- records --------------------------------------------------------------------------------------------------------


def record(seq: int, digest: str | None, before: bytes | None, **changes: Any) -> bytes:
    fields = {
        "alias": ALIAS,
        "digest": digest,
        "name": MODEL,
        "operation": f"{seq:032x}",
        "previous": None if before is None else f"sha256:{sha256(before)}",
        "seq": seq,
        "when": "2026-01-01T00:00:00+00:00",
        "who": "somebody",
        "why": "é 😀",
    }
    return spell({**fields, **changes})


def chain(*digests: str | None, after: bytes | None = None, first: int = 1) -> list[bytes]:
    records = [] if after is None else [after]
    for seq, digest in enumerate(digests, first):
        records.append(record(seq, digest, records[-1] if records else None))
    return records if after is None else records[1:]


A = chain(*(DIGESTS[1 + number % 3] for number in range(8)))


def place(records: list[bytes], hint: bytes | None = None, packages: Tree | None = None) -> Tree:
    """Return the files of a place with these records from 1 on, the hint, and the package that the last one names."""
    if packages is None:
        packages = PACKAGES.get(json.loads(records[-1])["digest"], {})
    tree = {key(seq): data for seq, data in enumerate(records, 1)} | packages
    return tree | {HINT: records[-1] if hint is None else hint}


def without(tree: Tree, *keys: str) -> Tree:
    return {path: data for path, data in tree.items() if path not in keys}


def one(data: bytes) -> Tree:
    """Return a place whose only record is this one, without a hint."""
    return {key(1): data}


# --- what comes of them ---------------------------------------------------------------------------------------------


def live(seq: int) -> dict[str, Any]:
    return {"seq": seq, "digest": json.loads(A[seq - 1])["digest"]}


def refused(kind: str) -> dict[str, Any]:
    return {"refused": kind}


Step = tuple[Tree, dict[str, Any]]
Vector = tuple[str, list[Step]] | tuple[str, list[Step], str]


def hints() -> dict[str, Vector]:
    three, beyond = A[:3], record(2**53, DIGESTS[1], A[2])
    other = {"model": {"name": "other"}, "alias": {"alias": "candidate"}}
    vectors: dict[str, Vector] = {
        "good chain": ("The newest record is the one that the hint names.", [(place(three), live(3))]),
        "one record": ("A chain of one.", [(place(A[:1]), live(1))]),
        "hint stale by 1": ("A writer died before it wrote the hint.", [(place(three, A[1]), live(3))]),
        "hint stale by 5": ("Several did.", [(place(A[:7], A[1]), live(7))]),
        "hint missing": ("The records are read from 1.", [(without(place(three), HINT), live(3))]),
        "hint ahead": ("There is no such record.", [(place(three, record(9, DIGESTS[1], A[2])), live(3))]),
        "hint empty": ("It was torn.", [(place(three, b""), live(3))]),
        "hint no json": ("It was torn.", [(place(three, A[2][:50]), live(3))]),
        "hint huge": ("Nothing of it is taken.", [(place(three, b" " * 70_000), live(3))]),
        "hint of another digest": (
            "The record is believed, not the hint.",
            [(place(three, record(3, DIGESTS[1], None)), live(3))],
        ),
        "hint beyond counting": (
            "2^53 is more than some readers can count to.",
            [({**place(three, beyond), key(2**53): beyond}, live(3))],
        ),
    }
    return vectors | {
        f"hint of another {what}": (
            "It is not this alias's.",
            [(place(three, record(2, DIGESTS[2], A[0], **changes)), live(3))],
        )
        for what, changes in other.items()
    }


def chains() -> dict[str, Vector]:
    three, four = A[:3], place(A[:4])
    forged = record(2, DIGESTS[3], A[0], who="somebody else")
    begun_anew = chain(*(DIGESTS[1] for _ in range(5)))
    return {
        "no record": ("Nothing was ever deployed.", [(PACKAGES[DIGESTS[1]], refused("no-record"))]),
        "nothing live": (
            "The model was withdrawn.",
            [(place(chain(DIGESTS[1], None)), {"seq": 2, "digest": None})],
        ),
        "gap before the hint": ("A record was removed.", [(without(four, key(3)), refused("broken-chain"))]),
        "gap after the hint": (
            "What stands beyond it cannot be reached.",
            [({**without(four, key(3)), HINT: A[1], **PACKAGES[DIGESTS[2]]}, live(2))],
        ),
        "record replaced": (
            "The next one does not follow it.",
            [({**place(three), key(2): forged}, refused("broken-chain"))],
        ),
        "record replaced long ago": (
            "A first look checks one link; the whole chain is what 'mlopskit verify' reads.",
            [({**four, key(2): forged}, live(4))],
        ),
        "previous broken": (
            "It names another record.",
            [({**place(three), key(3): record(3, DIGESTS[3], A[0])}, refused("broken-chain"))],
        ),
        "first with a previous": (
            "The first record follows none.",
            [(one(record(1, DIGESTS[1], A[0])), refused("broken-chain"))],
        ),
        "gap of one that names none before": (
            "Only record 1 has no record before it.",
            [({**without(place(three), key(2)), key(3): record(3, DIGESTS[3], None)}, refused("broken-chain"))],
        ),
        "forged far ahead": (
            "A number is reached from the one before.",
            [
                (
                    {**place(three), key(900): record(900, DIGESTS[1], A[2]), HINT: record(900, DIGESTS[1], A[2])},
                    refused("broken-chain"),
                )
            ],
        ),
        "older hint replayed": (
            "Nothing is lost: the records are there.",
            [(place(three), live(3)), (place(three, A[0]), live(3))],
        ),
        "older state restored": (
            "The alias went back without a new record.",
            [(place(three), live(3)), (place(A[:2]), refused("went-back"))],
        ),
        "newest record changed": (
            "It is not the record that was seen.",
            [(place(three), live(3)), (place([*A[:2], record(3, DIGESTS[1], A[1])]), refused("went-back"))],
        ),
        "deleted and begun anew": (
            "A longer chain under the same name is another chain.",
            [(place(three), live(3)), (place(begun_anew), refused("went-back"))],
        ),
        "rolled back": (
            "A new record that names an earlier package.",
            [(place(A[:2]), live(2)), (place(chain(*DIGESTS[1:3], DIGESTS[1])), {"seq": 3, "digest": DIGESTS[1]})],
        ),
        "moved on by 5": ("Each record on the way is checked.", [(place(A[:2]), live(2)), (place(A[:7]), live(7))]),
        "moved on over a break": (
            "One record on the way does not follow.",
            [(place(A[:2]), live(2)), ({**place(A[:5]), key(4): record(4, DIGESTS[1], A[0])}, refused("broken-chain"))],
        ),
    }


def malformed() -> dict[str, Vector]:
    plain = record(1, DIGESTS[1], None)
    spoilt = {
        "double key": plain.replace(b'{"alias"', b'{"alias":"x","alias"'),
        "nan": plain.replace(b'"name"', b'"more":NaN,"name"'),
        "no utf-8": plain.replace("é".encode(), b"\xe9"),
        "half a surrogate pair": plain.replace("é".encode(), b"\\ud800"),
        "byte order mark": b"\xef\xbb\xbf" + plain,
        "blanks": json.dumps(json.loads(plain), sort_keys=True, ensure_ascii=False).encode(),
        "trailing newline": plain + b"\n",
        "keys not sorted": json.dumps(
            dict(sorted(json.loads(plain).items(), reverse=True)), separators=(",", ":"), ensure_ascii=False
        ).encode(),
        "escape of capitals": plain.replace("é".encode(), b"\\u001F"),
        "escape longer than its short form": plain.replace("é".encode(), b"\\u000a"),
        "escaped slash": plain.replace("é".encode(), b"\\/"),
        "minus nought": plain.replace(b'"name"', b'"more":-0,"name"'),
        "leading nought": plain.replace(b'"name"', b'"more":01,"name"'),
        "comma too many": plain.replace(b'"name"', b'"more":[1,],"name"'),
        "needless escape": plain.replace("é".encode(), b"\\u00e9"),
        "cut off": plain[:-20],
        "empty": b"",
        "null": b"null",
        "field missing": plain.replace(b'"who":"somebody",', b""),
        "seq as text": plain.replace(b'"seq":1', b'"seq":"1"'),
        "seq as a fraction": plain.replace(b'"seq":1', b'"seq":1.0'),
        "seq of another record": plain.replace(b'"seq":1', b'"seq":2'),
        "seq huge": plain.replace(b'"seq":1', b'"seq":9223372036854775807'),
        "who null": plain.replace(b'"who":"somebody"', b'"who":null'),
        "of another model": record(1, DIGESTS[1], None, name="other"),
        "of another alias": record(1, DIGESTS[1], None, alias="candidate"),
        "digest short": record(1, "sha256:abc", None),
        "digest in capitals": record(1, DIGESTS[1].upper().replace("SHA256", "sha256"), None),
        "digest without its kind": record(1, DIGESTS[1][7:], None),
        "digest a path": record(1, "sha256:../../../etc/passwd", None),
        "digest empty": record(1, "", None),
        "digest with a newline": record(1, DIGESTS[1] + "\n", None),
        "previous no digest": record(1, DIGESTS[1], None, previous="x"),
    }
    vectors = {
        f"record {what}": (f"The record is malformed: {what}.", [(one(data), refused("malformed"))])
        for what, data in spoilt.items()
    }
    deep = record(1, DIGESTS[1], None).replace(b'"name"', b'"more":' + b"[" * 70 + b"]" * 70 + b',"name"')
    deepest = record(1, DIGESTS[1], None).replace(b'"name"', b'"more":' + b"[" * 63 + b"]" * 63 + b',"name"')
    newer = record(1, DIGESTS[1], None, format_version=2, kind={"new": [1, 2.5, True]})
    minor = [record(1, DIGESTS[1], None, format_version=1, approvals=[{"who": "é", "at": 1.5, "n": 10**17}])]
    minor.append(record(2, DIGESTS[2], minor[0]))
    huge = record(1, DIGESTS[1], None, why="x" * 66_000)
    return vectors | {
        "record deep": ("It is nested deeper than 64.", [(one(deep), refused("limit"))]),
        "record just not too deep": (
            "It is nested 64 deep.",
            [({**one(deepest), **PACKAGES[DIGESTS[1]]}, {"seq": 1, "digest": DIGESTS[1]})],
        ),
        "record huge": ("It is longer than 65,536 bytes.", [(one(huge), refused("limit"))]),
        "record of a later format": ("It needs a later reader.", [(one(newer), refused("version"))]),
        "record with more fields": (
            "What a later release adds is passed over, and counts for the sha256.",
            [(place(minor), {"seq": 2, "digest": DIGESTS[2]}), (place(minor), {"seq": 2, "digest": DIGESTS[2]})],
        ),
    }


def packages() -> dict[str, Vector]:
    base = place(A[:1])
    folder = f"packages/{DIGESTS[1][7:]}"
    missing_package = without(base, *(path for path in base if path.startswith(folder)))
    extra = {**live(1), "by path": refused("integrity")}
    ends = {"longer": b"x", "longer by a newline": b"\n"}
    vectors: dict[str, Vector] = {
        "package missing": ("The alias names what is not there.", [(missing_package, refused("integrity"))]),
        "manifest missing": (
            "It is written last: the package is not whole.",
            [(without(base, f"{folder}/manifest.json"), refused("integrity"))],
        ),
        "manifest changed": (
            "Its sha256 is not the digest.",
            [({**base, f"{folder}/manifest.json": base[f"{folder}/manifest.json"] + b"\n"}, refused("integrity"))],
        ),
        "file missing": ("It is listed.", [(without(base, f"{folder}/model.json"), refused("integrity"))]),
        "file changed": (
            "Of the same size.",
            [({**base, f"{folder}/model.json": b'{"factor":9}'}, refused("integrity"))],
        ),
        "file cut off": (
            "A byte is missing.",
            [({**base, f"{folder}/model.json": b'{"factor":1'}, refused("integrity"))],
        ),
        "file extra": (
            "Readers of a folder refuse it; readers of an address never ask for it.",
            [({**base, f"{folder}/sitecustomize.py": b"pass\n"}, extra)],
        ),
        "then repaired": (
            "A package that failed may be whole later.",
            [
                (place(A[:1]), live(1)),
                (without(place(A[:2]), f"packages/{DIGESTS[2][7:]}/model.json"), refused("integrity")),
                (place(A[:2]), live(2)),
            ],
        ),
    }
    for what, more in ends.items():
        data = base[f"{folder}/model.json"] + more
        vectors[f"file {what}"] = ("It goes on.", [({**base, f"{folder}/model.json": data}, refused("integrity"))])
    return vectors


def manifests() -> dict[str, Vector]:
    files = files_of(1)
    plain = manifest(files)
    entry = {"sha256": sha256(b"x"), "size": 1}

    def listing(**more: Any) -> bytes:
        return spell({**plain, "files": {**plain["files"], **more}})

    deep = spell({**plain, "provenance": json.loads("[" * 70 + "]" * 70)})
    unsafe = {
        "up": "../up.txt",
        "absolute": "/up.txt",
        "up inside": "a/../../up.txt",
        "backslash": "a\\up.txt",
        "drive": "C:up.txt",
        "stream": "a.txt:x",
        "device": "aux.txt",
        "hidden": ".hidden",
        "trailing dot": "a.",
        "empty part": "a//b",
        "dot part": "a/./b",
        "encoded": "a%2e.txt",
        "query": "a?b",
        "no ascii": "é.txt",
        "two by case": "MODEL.json",
        "folder of a file": "model.json/a",
        "manifest itself": "manifest.json",
        "too long": "a/" * 100 + "b",
    }
    spoilt = {
        "double key": (spell(plain).replace(b'{"environment"', b'{"environment":{},"environment"', 1), "malformed"),
        "nan": (spell(plain).replace(b"1e-07", b"NaN"), "malformed"),
        "infinite": (spell(plain).replace(b"1e-07", b"1e999"), "malformed"),
        "no utf-8": (spell(plain).replace("ﬀ".encode(), b"\xff"), "malformed"),
        "blanks": (json.dumps(plain, sort_keys=True, ensure_ascii=False).encode(), "malformed"),
        "keys sorted by utf-16": (_by_utf16(plain), "malformed"),
        "deep": (deep, "limit"),
        "a list": (b"[]", "malformed"),
        "of another model": (spell({**plain, "name": "other"}), "integrity"),
        "of a later format": (spell({**plain, "format_version": 2, "more": 1}), "version"),
        "files a list": (spell({**plain, "files": ["model.json"]}), "malformed"),
        "size of another file": (
            listing(**{"model.json": {"sha256": sha256(files["model.json"]), "size": 99}}),
            "integrity",
        ),
        "size as text": (listing(more={**entry, "size": "1"}), "malformed"),
        "size negative": (listing(more={**entry, "size": -1}), "malformed"),
        "size a fraction": (listing(more={**entry, "size": 1.0}), "malformed"),
        "size enormous": (listing(more={**entry, "size": 1 << 50}), "limit"),
        "sha256 in capitals": (listing(more={**entry, "sha256": entry["sha256"].upper()}), "malformed"),
        "sha256 short": (listing(more={**entry, "sha256": "ab"}), "malformed"),
        "entry with more": (listing(more={**entry, "more": 1}), "malformed"),
    }
    spoilt |= {f"path {what}": (listing(**{path: entry}), "unsafe-path") for what, path in unsafe.items()}
    vectors = {}
    for what, (data, kind) in spoilt.items():
        tree, digest = package(files if kind == "integrity" else {}, data)
        vectors[f"manifest {what}"] = (
            f"The manifest has the right sha256, and is refused: {what}.",
            [({**one(chain(digest)[0]), **tree}, refused(kind))],
        )
    return vectors


def _by_utf16(value: dict[str, Any]) -> bytes:
    settings = dict(sorted(value["provenance"]["settings"].items(), key=lambda pair: pair[0].encode("utf-16-be")))
    text = json.dumps(settings, separators=(",", ":"), ensure_ascii=False).encode()
    return spell(value).replace(spell(value["provenance"]["settings"]), text)


def names() -> dict[str, Vector]:
    unsafe = ["", ".", "..", "../production", "a/b", "Production", "production.json", "a\n", "con", "x" * 64, "é", "a."]
    return {
        f"alias {number} not allowed": (f"The alias {alias!r} is asked for.", [({}, refused("unsafe-name"))], alias)
        for number, alias in enumerate(unsafe, 1)
    }


def tree() -> Tree:
    """Return all files of all vectors, by their paths below the folder."""
    files: Tree = {}
    for name, (why, steps, *alias) in {
        **hints(),
        **chains(),
        **malformed(),
        **packages(),
        **manifests(),
        **names(),
    }.items():
        folder = name.replace(" ", "-").replace(".", "")
        outcomes = [{"place": f"{number}/{MODEL}", **outcome} for number, (_, outcome) in enumerate(steps, 1)]
        about = {"why": why, "model": MODEL, "alias": alias[0] if alias else ALIAS, "steps": outcomes}
        files[f"{folder}/expected.json"] = json.dumps(about, indent=1, ensure_ascii=False).encode() + b"\n"
        for number, (there, _) in enumerate(steps, 1):
            files |= {f"{folder}/{number}/{MODEL}/{path}": data for path, data in there.items()}
    return files


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    for path, data in tree().items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_bytes(data)


if __name__ == "__main__":
    main()
