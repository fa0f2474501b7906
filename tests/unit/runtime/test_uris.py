import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.runtime.errors import MlopskitError, UsageError
from mlopskit.runtime.objects import BucketPlace
from mlopskit.runtime.places import Folder
from mlopskit.runtime.uris import place_of
from mlopskit.runtime.web import WebPlace

LIMIT = 1 << 20
CANARY = "sig=CANARY"


def of(uri, query="", **environment):
    return place_of(uri, query=query, environment=environment, limit=LIMIT, form="portable")


@pytest.mark.parametrize(
    ("uri", "query", "address"),
    [
        ("https://a.blob.core.windows.net/c/models/mood@production", CANARY, "{}"),
        ("http://127.0.0.1:9/mood@production", "?" + CANARY, "{}"),
        ("http://host/mood@production", "", "{}"),
        ("az://account/c-1/mood@production", "", "https://account.blob.core.windows.net/c-1/mood"),
        ("az://account/$web/models/mood@production", CANARY, "https://account.blob.core.windows.net/$web/models/mood"),
        ("gs://some.bucket/models/v1/mood@production", "", "https://storage.googleapis.com/some.bucket/models/v1/mood"),
        ("s3://some-bucket/models/mood@production", "", "{}"),
        ("/mnt/models/mood@production", "", "{}"),
    ],
)
def test_a_uri_names_a_place_and_an_alias(uri, query, address):
    place, alias = of(uri, query)
    assert (place.name, alias, place.form) == ("mood", "production", "portable")
    assert place.address == address.format(uri.rpartition("@")[0])
    assert "CANARY" not in repr(place)


def test_each_form_is_read_in_its_own_way():
    kinds = {"https://h/mood@a": WebPlace, "az://acc/con/mood@a": WebPlace, "gs://buc/mood@a": WebPlace}
    kinds |= {"s3://buc/mood@a": BucketPlace, "/mood@a": Folder}
    assert {uri: type(of(uri)[0]) for uri in kinds} == kinds


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "@production",
        "mood@production",
        "models/mood@production",
        "https://host/mood",
        "https://host/mood@",
        "https://host/mood@Production",
        "https://host/mood@production?sig=CANARY",
        "https://host/mood?sig=CANARY@production",
        "https://me:CANARY@host/mood",
        "https://me:CANARY@host/mood@production",
        "https://host/mood#CANARY@production",
        "HTTPS://host/mood@production",
        "file:///mnt/CANARY/mood@production",
        "ftp://host/CANARY/mood@production",
        "az://mood@production",
        "az://account/mood@production",
        "az://Account/container/mood@production",
        "az://account/container/../CANARY/mood@production",
        "az://account/container//mood@production",
        "az://account/container/mood%2e@production",
        "az://account.evil.example/container/mood@production",
        "az://account/container/mood?sig=CANARY@production",
        "s3://bucket@production",
        "s3://bu/mood@production",
        "s3://Bucket/mood@production",
        "s3://bucket/../mood@production",
        "s3://key:CANARY@bucket/mood@production",
        "gs://bucket/mood/@production",
        "gs://bucket/mood\n@production",
        "gs://bucket/mood@production\n",
        "s3://bucket/m\u00f6od@production",
    ],
)
def test_a_uri_of_another_form_is_refused_and_not_shown(uri):
    with pytest.raises(UsageError) as caught:
        of(uri)
    assert "CANARY" not in f"{caught.value!s}{caught.value.culprits}"
    assert caught.value.remedy


@pytest.mark.parametrize("uri", ["s3://buc/Mood@a", "gs://buc/con@a", "az://acc/con/mood.json@a", "/mnt/Mood@a"])
def test_the_last_part_is_a_models_name(uri):
    with pytest.raises(UsageError, match="name of a model's folder"):
        of(uri)


@pytest.mark.parametrize("uri", ["s3://buc/mood@a", "gs://buc/mood@a", "/mnt/mood@a"])
def test_a_query_where_none_is_sent_is_refused(uri):
    with pytest.raises(UsageError, match="opens no such place") as caught:
        of(uri, CANARY)
    assert "CANARY" not in str(caught.value)


def test_what_gives_access_is_sent_encrypted_or_to_this_machine():
    for uri, query, environment in (
        ("http://host/mood@a", CANARY, {}),
        ("az://acc/con/mood@a", "", {"AZURE_STORAGE_BLOB_ENDPOINT": "http://host/acc"}),
        ("az://acc/con/mood@a", CANARY, {"AZURE_STORAGE_BLOB_ENDPOINT": "http://host/acc"}),
        ("gs://buc/mood@a", "", {"GOOGLE_BASE_URL": "http://host"}),
    ):
        with pytest.raises(UsageError, match="unencrypted"):
            of(uri, query, **environment)
    place, _ = of("az://acc/con/mood@a", AZURE_STORAGE_BLOB_ENDPOINT="http://127.0.0.1:10000/acc/")
    assert place.address == "http://127.0.0.1:10000/acc/con/mood"


@given(st.text(max_size=60) | st.from_regex(r"(https?|az|s3|gs|file)://[ -~]{0,50}(@[ -~]{0,20})?", fullmatch=True))
def test_whatever_stands_there_is_a_place_or_refused_without_being_shown(uri):
    said = refusal(uri)
    if said:
        secrets = [part for part in uri.replace("@", "/").split("/") if "?" in part or ":" in part[:-1]]
        assert not [part for part in secrets if len(part) > 3 and part in said]
    else:
        place, alias = of(uri)
        assert place.name == uri.rpartition("@")[0].rstrip("/").rpartition("/")[2]
        assert uri.endswith(f"@{alias}")


def refusal(uri):
    try:
        of(uri)
    except MlopskitError as error:
        return error.message
    return ""


ADDRESS = st.from_regex(r"[a-z0-9_]{1,10}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,8}){0,3}", fullmatch=True)


@given(st.sampled_from(["az://acc/con", "s3://buc", "gs://buc", "https://host", "/mnt"]), ADDRESS)
def test_plain_names_keep_their_place(root, folder):
    place, alias = of(f"{root}/{folder}/mood@production")
    assert place.address.endswith(f"/{folder}/mood")
    assert (place.name, alias) == ("mood", "production")
