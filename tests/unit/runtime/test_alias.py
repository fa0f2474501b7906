import dataclasses
import json

import pytest

from mlopskit.runtime import AliasRecord, alias, canonical, follow, head, history
from mlopskit.runtime.alias import hint_key, parse_record, record_key
from mlopskit.runtime.errors import AliasError, LimitError, ManifestError, MlopskitError, RollbackError, UnsafeNameError

PREFIX = "m/aliases"
WHO = {"name": "m", "alias": "production"}


def digest(number):
    return f"sha256:{number:064x}"


@pytest.fixture
def chain():
    """A place of five records and their hint, as a table of key → bytes, and the records."""
    records = []
    for seq in range(1, 6):
        previous = canonical.digest_of(records[-1].data()) if records else None
        about = {"operation": str(seq), "who": "me", "why": "", "when": "now"}
        records.append(AliasRecord(seq=seq, digest=digest(seq), previous=previous, **WHO, **about))
    place = {record_key(PREFIX, "production", record.seq): record.data() for record in records}
    return place | {hint_key(PREFIX, "production"): records[-1].data()}, records


def changed(record, **changes):
    return canonical.dumps({**json.loads(record.data()), **changes})


def newest(place, **options):
    return head(place.get, PREFIX, **WHO, **options)


def key(seq):
    return record_key(PREFIX, "production", seq)


HINT = hint_key(PREFIX, "production")


def test_the_newest_record_is_the_head(chain):
    place, records = chain
    assert newest(place) == records[4]
    assert newest(place, seen=5) == records[4]
    assert history(place.get, PREFIX, **WHO) == records
    assert newest({}) is None
    assert history({}.get, PREFIX, **WHO) == []


def test_the_hint_saves_reading_all(chain):
    place, _ = chain
    asked = []

    def get(name):
        asked.append(name)
        return place.get(name)

    assert head(get, PREFIX, **WHO).seq == 5
    assert asked == [HINT, key(5), key(4), key(6)]


def forged_hints(records):
    return {
        "absent": None,
        "empty": b"",
        "garbage": b"\xff{",
        "huge": b" " * (1 << 20),
        "stale": records[1].data(),
        "of another model": changed(records[4], name="other"),
        "of another alias": changed(records[4], alias="candidate"),
        "beyond the end": changed(records[4], seq=9),
        "far beyond": changed(records[4], seq=2**63),
        "beyond 2^53": changed(records[4], seq=2**53),
        "seq as text": changed(records[4], seq="5"),
        "seq as a fraction": changed(records[4], seq=5.0),
        "seq as a boolean": changed(records[4], seq=True),
        "seq of zero": changed(records[4], seq=0),
        "negative": changed(records[4], seq=-1),
        "another digest": changed(records[4], digest=digest(99)),
        "a digest that is none": changed(records[4], digest="../x"),
        "another field": changed(records[4], more=1),
        "null": b"null",
    }


@pytest.mark.parametrize(
    "kind",
    forged_hints([AliasRecord(seq=1, digest=None, previous=None, operation="", who="", why="", when="", **WHO)] * 5),
)
def test_a_wrong_hint_changes_nothing(chain, kind):
    place, records = chain
    hint = forged_hints(records)[kind]
    place |= {HINT: hint}
    assert newest(place, seen=5) == records[4]
    assert history(place.get, PREFIX, **WHO) == records


def test_an_older_hint_copied_back_changes_nothing(chain):
    place, records = chain
    place[HINT] = records[0].data()
    assert newest(place).seq == 5


def test_records_that_were_deleted_are_missed_once_they_were_seen(chain):
    place, records = chain
    for seq in (5, 4, 3, 2, 1):
        del place[key(seq)]
        for hint in (place[HINT], records[0].data(), None):
            with pytest.raises(RollbackError, match=f"went back to record {seq - 1}; 5 was seen before") as caught:
                newest(place | {HINT: hint}, seen=5)
            assert caught.value.seen == 5
            assert "mlopskit rollback" in caught.value.remedy


def test_a_rollback_by_a_new_record_is_none(chain):
    place, records = chain
    back = dataclasses.replace(records[4], seq=6, digest=digest(1), previous=canonical.digest_of(records[4].data()))
    place[key(6)] = back.data()
    assert newest(place, seen=5) == back


@pytest.mark.parametrize("seq", [7, 1000, 2**53 - 1])
def test_a_forged_record_far_ahead_is_not_the_head(chain, seq):
    place, records = chain
    forged = changed(records[4], seq=seq, digest=digest(66), previous=canonical.digest_of(records[4].data()))
    place |= {key(seq): forged, HINT: forged}
    with pytest.raises(AliasError, match=f"Record {seq} .* does not follow the record before it"):
        newest(place)
    assert newest(place | {HINT: None}).seq == 5


@pytest.mark.parametrize("seq", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"seq": 99}, "seq"),
        ({"seq": "1"}, "seq"),
        ({"seq": 1.0}, "seq"),
        ({"seq": 2**63}, "seq"),
        ({"name": "other"}, "name"),
        ({"alias": "candidate"}, "alias"),
        ({"digest": "sha256:" + "A" * 64}, "digest"),
        ({"digest": ""}, "digest"),
        ({"previous": "x"}, "previous"),
        ({"who": None}, "who"),
        ({"format_version": 2}, "format_version"),
        ({"format_version": 1.0}, "format_version"),
        ({"format_version": True}, "format_version"),
    ],
    ids=str,
)
def test_a_malformed_record_is_refused_by_its_field(chain, seq, changes, field):
    place, records = chain
    place[key(seq)] = changed(records[seq - 1], **changes)
    with pytest.raises(ManifestError, match=field):
        history(place.get, PREFIX, **WHO)
    with pytest.raises(ManifestError, match=field):
        newest(place | {HINT: None})


def test_a_changed_record_breaks_the_chain(chain):
    place, records = chain
    for seq in (1, 2, 3, 4):
        for found in (history, head):
            with pytest.raises(AliasError, match=f"Record {seq + 1} .* does not follow"):
                found((place | {key(seq): changed(records[seq - 1], digest=digest(66)), HINT: None}).get, PREFIX, **WHO)
    first = place | {key(1): changed(records[0], previous=digest(1)), HINT: None}
    with pytest.raises(AliasError, match="Record 1"):
        newest(first)


def test_swapped_inserted_and_missing_records_break_the_chain(chain):
    place, records = chain
    swapped = place | {key(2): changed(records[2], seq=2), key(3): changed(records[1], seq=3)}
    inserted = place | {key(3): changed(records[2], digest=digest(66)), key(4): changed(records[2], seq=4)}
    for broken in (swapped, inserted):
        with pytest.raises(AliasError):
            history(broken.get, PREFIX, **WHO)
    for seq in (1, 2, 3, 4):
        with pytest.raises(AliasError, match=r"is missing, while later ones are there|does not follow"):
            history((place | {key(seq): None}).get, PREFIX, **WHO)


def test_what_a_later_release_adds_is_kept_and_counts_for_the_digest(chain):
    place, records = chain
    more = {"approvals": [{"who": "é", "at": 1.5}], "format_version": 1}
    sixth = dataclasses.replace(records[4], seq=6, previous=canonical.digest_of(records[4].data()), more=more)
    place |= {key(6): changed(records[4], seq=6, previous=sixth.previous, **more)}
    assert place[key(6)] == sixth.data()
    seventh = changed(records[4], seq=7, previous=canonical.digest_of(place[key(6)]))
    place |= {key(7): seventh}
    assert history(place.get, PREFIX, **WHO)[5:] == [sixth, newest(place)]
    assert newest(place).seq == 7


def test_a_later_format_says_what_it_needs(chain):
    place, records = chain
    place[key(5)] = changed(records[4], format_version=2, digest={"of": "another form"})
    with pytest.raises(ManifestError, match="format_version 2, this reader knows 1") as caught:
        newest(place)
    assert "needs a later release of mlopskit" in caught.value.remedy


def following(place, last):
    return follow(place.get, PREFIX, **WHO, last=last)


def test_a_reader_goes_on_from_the_record_that_it_saw_without_the_hint(chain):
    place, records = chain
    assert following(place, None) == records[4]
    asked = []

    def get(name):
        asked.append(name)
        return place.get(name)

    for last in records:
        assert follow(get, PREFIX, **WHO, last=last) == records[4]
        assert asked == [key(seq) for seq in range(last.seq, 7)]
        asked.clear()


def test_a_reader_misses_the_record_that_it_saw(chain):
    place, records = chain
    another = {
        "gone": None,
        "another one": changed(records[2], digest=digest(66)),
    }
    for what, data in another.items():
        with pytest.raises(RollbackError, match=f"Record 3 .* is {what}"):
            following(place | {key(3): data}, records[2])
    begun_anew = {name: data.replace(b'"who":"me"', b'"who":"you"') for name, data in place.items()}
    with pytest.raises(RollbackError, match="another one"):
        following(begun_anew, records[0])


def test_a_reader_checks_each_record_on_its_way(chain):
    place, records = chain
    with pytest.raises(AliasError, match=r"Record 5 .* does not follow"):
        following(place | {key(4): changed(records[3], digest=digest(66))}, records[1])


def test_each_flipped_byte_of_a_record_is_found(chain):
    place, _ = chain
    for seq in (2, 4):
        data = place[key(seq)]
        for position in range(len(data)):
            spoilt = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
            with pytest.raises(MlopskitError):
                history((place | {key(seq): spoilt}).get, PREFIX, **WHO)


def test_names_are_checked(chain):
    place, _ = chain
    for found in (head, history):
        with pytest.raises(UnsafeNameError):
            found(place.get, PREFIX, name="../m", alias="production")
        with pytest.raises(UnsafeNameError, match="alias"):
            found(place.get, PREFIX, name="m", alias="production.json")


def test_a_record_is_one_canonical_line(chain):
    _, records = chain
    data = records[0].data()
    assert {**json.loads(data), "more": {}} == vars(records[0])
    assert parse_record(data, seq=1, **WHO) == records[0]
    with pytest.raises(ManifestError, match="The record 1 of the alias 'production' of 'm' is malformed"):
        parse_record(data + b"\n", seq=1, **WHO)
    with pytest.raises(LimitError, match="The record of the alias 'production' of 'm' has more than"):
        parse_record(b" " * (alias.MAX_RECORD + 1), seq=None, **WHO)
