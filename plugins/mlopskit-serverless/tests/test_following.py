"""A function that follows an alias in the clouds' own storage: Azure's by SAS, S3 by the runtime's boto3."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from mlopskit_serverless import awslambda
from mlopskit_serverless.functions import LambdaZip
from mlopskit_serverless.running import Launch

import mlopskit as mk
from mlopskit.loading import installed_loaders
from mlopskit.runtime.functions import Function
from mlopskit.testing.faultproxy import FaultProxy, NetworkFault
from mlopskit.testing.packages import NAME, shared_packages

pytestmark = pytest.mark.live
PLUGINS = Path(__file__).parents[2]
JSON = {"content-type": "application/json"}
# The first package answers "above", the other one "below": their lines have opposite slopes.
ROW = b'{"row": {"height": 0.0, "weight": -2.0}}'


def _fixtures(plugin):
    name = f"fixtures_for_functions_of_{plugin}"
    spec = importlib.util.spec_from_file_location(name, PLUGINS / f"mlopskit-{plugin}" / "tests" / "conftest.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


blob, objectstore = _fixtures("blob"), _fixtures("objectstore")
azurite_installed, azurite, container = blob.azurite_installed, blob.azurite, blob.container
s3_port, bucket = objectstore.s3_port, objectstore.bucket


class Published:
    """A registry in a bucket with two packages, whose alias is moved by hand."""

    def __init__(self, place, folder):
        self.registry = mk.Registry.at(place)
        self.one, self.other = (mk.ModelPackage.open(folder / name, digest="unpinned") for name in ("one", "other"))
        for package in (self.one, self.other):
            self.registry.add(package)
        self.last = None
        self.move(self.one.digest)

    def move(self, digest):
        self.last = self.registry.alias(NAME, "production").append(digest, after=self.last, why="a test")


@pytest.fixture
def start(tmp_path_factory, tmp_path):
    """Return what starts a function of the first package with an environment."""
    begun = []

    def begin(**environment):
        package = shared_packages(tmp_path_factory) / "one"
        digest = mk.ModelPackage.open(package, digest="unpinned").digest
        given = {"MODEL_EVERY": "1e-9", "MODEL_TRIAL": "0", **environment}
        begun.append(
            Function(
                package,
                digest=digest,
                format="portable",
                uri=given.pop("MODEL_URI"),
                query=given.pop("MODEL_QUERY", ""),
                every=float(given.pop("MODEL_EVERY")),
                trial=0,
                environment=given,
                loaders=installed_loaders(),
            )
        )
        begun[-1]._turns.wait = 60
        return begun[-1]

    yield begin
    for function in begun:
        function.close()


@pytest.fixture
def packages(tmp_path_factory):
    return shared_packages(tmp_path_factory)


def ask(function):
    return json.loads(function.respond("POST", "/predict", JSON, ROW).body)["row"]["prediction"]


def fault(function):
    return json.loads(function.respond("GET", "/metadata", {}, b"").body)["fault"]


def follows(function, published):
    """Check that a promotion and a rollback are followed."""
    assert (ask(function), fault(function)) == ("above", None)
    published.move(published.other.digest)
    assert (ask(function), fault(function)) == ("below", None)
    published.move(published.one.digest)
    assert (ask(function), fault(function)) == ("above", None)


# --- Azure -----------------------------------------------------------------------------------------------------------


def signature(azurite, address, *, hours=1, read=True):
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    return generate_container_sas(
        azurite.account,
        address.rpartition("/")[2],
        account_key=azurite.key,
        permission=ContainerSasPermissions(read=read, list=True),
        expiry=datetime.now(UTC) + timedelta(hours=hours),
    )


def test_a_container_of_azure_is_followed_by_a_sas_at_its_https_address_and_at_its_own(
    azurite, container, packages, start
):
    published = Published(container, packages)
    endpoint = f"http://127.0.0.1:{azurite.port}/{azurite.account}"
    sas = signature(azurite, container)
    address = f"{endpoint}/{container.rpartition('/')[2]}/{NAME}@production"
    follows(start(MODEL_URI=address, MODEL_QUERY=sas), published)
    here = {"MODEL_URI": f"{container}/{NAME}@production", "MODEL_QUERY": f"?{sas}"}
    follows(start(**here, AZURE_STORAGE_BLOB_ENDPOINT=endpoint), published)


@pytest.mark.parametrize("lacking", [{"hours": -1}, {"read": False}])
def test_a_sas_that_ended_or_gives_no_right_to_read_cannot_tell_and_is_not_shown(
    lacking, azurite, container, packages, start, caplog
):
    published = Published(container, packages)
    published.move(published.other.digest)
    sas = signature(azurite, container, **lacking)
    address = f"http://127.0.0.1:{azurite.port}/{azurite.account}/{container.rpartition('/')[2]}/{NAME}@production"
    function = start(MODEL_URI=address, MODEL_QUERY=sas)
    assert ask(function) == "above"
    assert "the status is 403, and so it cannot be told whether it is there" in fault(function)
    secret = sas.rpartition("sig=")[2]
    assert secret not in fault(function) + caplog.text + repr(function._turns._place._place)


# --- S3 --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def amazon(bucket, s3_port, packages, monkeypatch):
    """A registry in a bucket of S3."""
    published = Published(f"{bucket}/models", packages)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{s3_port}")
    return published


def test_a_bucket_of_s3_is_followed_by_boto3(amazon, bucket, start):
    follows(start(MODEL_URI=f"{bucket}/models/{NAME}@production"), amazon)


@pytest.fixture
def proxy(amazon, s3_port, monkeypatch):
    """What stands before S3, and lets requests fail as networks do."""
    with FaultProxy(s3_port).running() as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{proxy.port}")
        yield proxy


NEXT = "/2/record.json"  # the record that is not there yet


@pytest.mark.parametrize(
    ("fault_of", "why"),
    [
        (
            {"kind": "late status", "path": NEXT, "status": 403},
            "the status is 403 (403), and so it cannot be told whether it is there",
        ),
        ({"kind": "status", "path": NEXT, "status": 503}, "cannot be read: the status is 503"),
        ({"kind": "reset", "path": NEXT}, "cannot be read: ConnectionClosedError"),
        ({"kind": "truncate", "path": "manifest.json", "size": 100}, "cannot be read: "),
        ({"kind": "flip", "path": "model.json"}, "is not the one that is listed"),
    ],
)
def test_what_a_network_does_to_s3_leaves_the_old_model_and_is_told(fault_of, why, amazon, bucket, proxy, start):
    function = start(MODEL_URI=f"{bucket}/models/{NAME}@production")
    assert ask(function) == "above"
    if fault_of["path"] != NEXT:
        amazon.move(amazon.other.digest)
    proxy.set(NetworkFault(method="GET", times=100, **fault_of))
    assert ask(function) == "above"
    assert why in fault(function)
    assert "test-secret-canary" not in fault(function)
    proxy.set()
    if fault_of["path"] == NEXT:
        amazon.move(amazon.other.digest)
    function._turns._follower._spoilt = None  # the pause after a bad package is over
    assert (ask(function), fault(function)) == ("below", None)


def test_a_denied_bucket_names_the_right_that_is_missing(amazon, bucket, proxy, start):
    proxy.set(NetworkFault(kind="late status", method="GET", status=403, times=100))
    function = start(MODEL_URI=f"{bucket}/models/{NAME}@production")
    assert ask(function) == "above"
    remedy = function._turns.state.failure.remedy
    assert "s3:ListBucket" in remedy
    assert bucket.removeprefix("s3://") in remedy


def test_a_bucket_that_is_not_there_is_away_and_not_empty(amazon, start):
    function = start(MODEL_URI=f"s3://no-such-bucket/models/{NAME}@production")
    assert ask(function) == "above"
    assert "cannot be read: the status is 404 (NoSuchBucket)" in fault(function)


def test_without_credentials_or_region_or_anybody_there_it_says_so(amazon, bucket, start, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    function = start(MODEL_URI=f"{bucket}/models/{NAME}@production")
    assert ask(function) == "above"
    assert "cannot be read: NoCredentialsError" in fault(function)


# --- in the service's own runtime ------------------------------------------------------------------------------------


def test_in_lambdas_own_runtime_a_bucket_is_followed_and_each_package_tried_apart(
    amazon, bucket, s3_port, packages, home
):
    package = mk.ModelPackage.open(packages / "one", digest="unpinned")
    deployer = LambdaZip(to="place", form="portable", python=f"{sys.version_info[0]}.{sys.version_info[1]}")
    site, folder = home.runtime(deployer, package), home.unzipped(deployer, package)
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test-secret-canary",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3_port}",
        "MODEL_URI": f"{bucket}/models/{NAME}@production",
        "MODEL_EVERY": "0.01",
        # AWS's image brings boto3 beside its runtime.
        "PYTHONPATH": f"{site}:{Path(boto3.__file__).parents[1]}",
    }
    launch = Launch(folder=folder, site=site, command=(sys.executable,), environment=environment)
    with awslambda.start(launch) as function:

        def says(path, body):
            reply = function.send("POST" if body else "GET", path, JSON, body)
            return json.loads(reply.body)

        def until(prediction):
            while (said := says("/predict", ROW)["row"]["prediction"]) != prediction:
                time.sleep(0.05)  # a look may take longer than a call waits for it; pytest's own limit ends this
            return said

        assert until("above")
        amazon.move(amazon.other.digest)
        assert until("below")
        about = says("/metadata", b"")
        assert (about["digest"], about["fault"], about["record"]) == (amazon.other.digest, None, 2)
        amazon.move(amazon.one.digest)
        assert until("above")
