"""What push, the switch and removal do when something goes wrong in the midst of them; what AWS refuses; secrets."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
import sys
import zipfile
from pathlib import Path

import mlopskit_serverless
import pytest
from mlopskit_serverless import aws

import mlopskit as mk
from mlopskit.acceptance import verify
from mlopskit.deployment import Deploying
from mlopskit.errors import ConfigError, ConflictError, DeployError, LimitError, NotReadyError
from mlopskit.testing.faultproxy import NetworkFault
from mlopskit.testing.packages import NAME

SOURCE = Path(mlopskit_serverless.__file__).parent
PAGE = Path(__file__).parents[4] / "docs/how-to/deploy-to-aws-lambda.md"


@pytest.fixture
def built(tmp_path, pair):
    """Return what builds a package, and keeps what it built."""
    held = {}

    def build(deployer, package=pair[0]):
        key = (deployer.memory, package.digest)
        if key not in held:
            folder = tmp_path / f"bundle-{len(held)}"
            folder.mkdir()
            registry = mk.Registry.at(tmp_path / "registry")
            held[key] = Deploying(package=package, deployer=deployer, registry=registry, endpoint="x").build(folder)
        return held[key]

    return build


def versions(cloud, deployer):
    found = cloud.client("lambda").list_versions_by_function(FunctionName=deployer.function)["Versions"]
    return [one for one in found if one["Version"] != "$LATEST"]


def through(deployer, proxy):
    return dataclasses.replace(deployer, endpoint_url=f"http://127.0.0.1:{proxy.port}")


def switch(deployer, at, instead_of, why="test"):
    deployer.activate(NAME, at, instead_of=instead_of, why=why)


def test_a_version_says_what_it_was_made_of(made, built, cloud, pair):
    deployer = made(memory=256, timeout=7)
    at = deployer.push(built(deployer))
    (version,) = versions(cloud, deployer)
    bundle = built(deployer)
    assert version["Description"] == f"mlopskit {NAME}: bundle {bundle.digest} package {pair[0].digest}"
    assert (version["MemorySize"], version["Timeout"], version["Runtime"]) == (256, 7, "python3.11")
    told = cloud.client("lambda").get_function(FunctionName=deployer.function)
    assert told["Tags"] == {"mlopskit:name": NAME, "mlopskit:digest": pair[0].digest}
    assert at == {"function": deployer.function, "version": version["Version"]}


def test_only_what_differs_is_sent_again(made, built, cloud, pair):
    deployer = made()
    deployer.push(built(deployer))
    larger = dataclasses.replace(deployer, memory=1024)
    cloud.say("calls")
    second = larger.push(built(larger))
    seen = [one for one in cloud.say("calls") if one.startswith(("PUT", "POST"))]
    assert not [one for one in seen if one.endswith("/code")]
    assert {one["MemorySize"] for one in versions(cloud, deployer)} == {512, 1024}
    assert larger.push(built(larger)) == second
    assert not [one for one in cloud.say("calls") if one.startswith(("PUT", "POST"))]


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(True, id="of a new function"),
        # What it shows besides stands in the next test, too: each answer lost once.
        pytest.param(False, id="of one that is there", marks=pytest.mark.slow),
    ],
)
def test_a_push_that_was_interrupted_anywhere_is_completed_by_the_next(
    first, made, built, cloud, proxy, pair, monkeypatch
):
    """Each request in turn is the last one that AWS gets; its answer is lost, too."""
    monkeypatch.setattr(aws, "_ATTEMPTS", 1)
    at, done = 0, False
    while not done:
        deployer = made()
        if not first:
            deployer.push(built(deployer, pair[1]))
        after = NetworkFault(kind="reset", method=".*", times=1000, follows=True)
        proxy.set(NetworkFault(kind="drop", method=".*", skip=at), after)
        try:
            through(deployer, proxy).push(built(deployer))
            done = proxy.happened == 0
        except NotReadyError:
            assert proxy.happened
        proxy.set()
        pushed = deployer.push(built(deployer))
        assert deployer.live(NAME) is None
        described = [one["Description"] for one in versions(cloud, deployer)]
        assert len(described) == len({*described}) == (1 if first else 2)
        assert deployer.push(built(deployer)) == pushed
        at += 1
    assert at >= 7


def test_a_push_all_of_whose_answers_are_lost_once_asks_again(made, built, cloud, proxy, pair):
    deployer = made()
    deployer.push(built(deployer, pair[1]))
    requests = [("GET", "versions"), ("GET", "configuration"), ("PUT", "code"), ("PUT", "configuration")]
    requests += [("POST", "tags"), ("POST", "versions")]
    proxy.set(*(NetworkFault(kind="drop", method=method, path=path) for method, path in requests))
    pushed = through(deployer, proxy).push(built(deployer))
    assert proxy.happened == len(requests)
    assert deployer.push(built(deployer)) == pushed
    assert len(versions(cloud, deployer)) == 2


def test_what_somebody_else_changes_meanwhile_is_not_published_as_ours(made, built, cloud, monkeypatch):
    deployer = made()
    other = b"PK\x05\x06" + bytes(18)
    before = aws.call

    def call(client, operation, **more):
        if operation == "publish_version":
            theirs = cloud.client("lambda")
            theirs.update_function_code(FunctionName=deployer.function, ZipFile=other)
            theirs.get_function_configuration(FunctionName=deployer.function)
        return before(client, operation, **more)

    with monkeypatch.context() as patch:
        patch.setattr(aws, "call", call)
        with pytest.raises(ConflictError, match="Somebody else changed the function"):
            deployer.push(built(deployer))
    assert not versions(cloud, deployer)
    deployer.push(built(deployer))
    assert len(versions(cloud, deployer)) == 1


def test_a_function_of_somebody_else_is_left_alone_until_it_is_handed_over(made, built, cloud):
    deployer = made(role="")
    client = cloud.client("lambda")
    client.create_function(
        FunctionName=deployer.function,
        Runtime="python3.12",
        Handler="a.b",
        Role=cloud.role,
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
    )
    client.get_function_configuration(FunctionName=deployer.function)
    with pytest.raises(ConfigError, match="described as ''") as raised:
        deployer.push(built(deployer))
    assert client.get_function_configuration(FunctionName=deployer.function)["Runtime"] == "python3.12"
    command = raised.value.remedy
    assert f"aws lambda update-function-configuration --function-name {deployer.function}" in command
    variables = {"MODEL_QUERY": "sig", "MODEL_URI": "s3://before/m@production"}
    client.update_function_configuration(
        FunctionName=deployer.function, Description="mlopskit", Environment={"Variables": variables}
    )
    deployer.push(built(deployer))
    (version,) = versions(cloud, deployer)
    assert version["Runtime"] == "python3.11"
    assert version["Role"] == cloud.role
    assert version["Environment"]["Variables"] == {"MODEL_QUERY": "sig"}


def test_without_a_role_no_function_is_made(made, built):
    deployer = made(role="")
    with pytest.raises(ConfigError, match=f"There is no function '{deployer.function}'.*without a role"):
        deployer.push(built(deployer))


def test_a_role_that_is_not_there_is_named(made, built):
    deployer = made(role="arn:aws:iam::123456789012:role/missing")
    with pytest.raises(DeployError, match="cannot be assumed by Lambda") as raised:
        deployer.push(built(deployer))
    assert "lambda.amazonaws.com may assume" in raised.value.remedy


def test_the_alias_is_not_taken_from_somebody_who_moves_it_meanwhile(made, built, cloud, pair, monkeypatch):
    deployer = made()
    one, other = deployer.push(built(deployer)), deployer.push(built(deployer, pair[1]))
    switch(deployer, one, None)
    before = aws.call

    def call(client, operation, **more):
        if operation == "update_alias":
            cloud.client("lambda").update_alias(
                FunctionName=deployer.function, Name="production", FunctionVersion="$LATEST"
            )
        return before(client, operation, **more)

    with monkeypatch.context() as patch:
        patch.setattr(aws, "call", call)
        with pytest.raises(ConflictError, match=r"leads to version \$LATEST, expected version 1"):
            switch(deployer, other, one)
    assert deployer.live(NAME) == {**one, "version": "$LATEST"}


def test_a_switch_whose_answer_was_lost_is_our_own(made, built, proxy, pair):
    deployer = made()
    one, other = deployer.push(built(deployer)), deployer.push(built(deployer, pair[1]))
    for before, after in ((None, one), (one, other)):
        proxy.set(NetworkFault(kind="drop", method="PUT|POST", path="aliases"))
        switch(through(deployer, proxy), after, before)
        assert proxy.happened == 1
        assert deployer.live(NAME) == after


def test_shares_of_other_versions_are_seen_and_end_with_the_next_switch(made, built, cloud, pair):
    deployer = made()
    one, other = deployer.push(built(deployer)), deployer.push(built(deployer, pair[1]))
    switch(deployer, one, None)
    shares = {"AdditionalVersionWeights": {other["version"]: 0.25}}
    client, named = cloud.client("lambda"), {"FunctionName": deployer.function, "Name": "production"}
    client.update_alias(**named, RoutingConfig=shares)
    shared = deployer.live(NAME)
    assert shared == {**one, "weights": '{"2": 0.25}'}
    with pytest.raises(ConflictError, match="and to others by"):
        switch(deployer, other, one)
    switch(deployer, other, shared)
    assert deployer.live(NAME) == other
    switch(deployer, shared, other)  # as an undo does
    assert client.get_alias(**named)["RoutingConfig"] == shares


def test_a_version_that_is_gone_cannot_be_made_live(made, built):
    deployer = made()
    at = deployer.push(built(deployer))
    deployer.remove(NAME, at)
    assert deployer.fault(NAME, at) == f"There is no version 1 of {deployer.function}."
    with pytest.raises(DeployError, match="is gone, and cannot be made live"):
        switch(deployer, at, None)
    with pytest.raises(DeployError, match="is gone"):
        deployer.predict(NAME, [{}], at)
    assert deployer.logs(NAME, at) == ""


def test_what_an_alias_leads_to_stays(made, built, cloud, pair):
    deployer = made()
    one, other = deployer.push(built(deployer)), deployer.push(built(deployer, pair[1]))
    validation = dataclasses.replace(deployer, alias="validation")
    shared = {**one, "weights": '{"2": 0.25}'}
    switch(validation, shared, None)
    deployer.remove(NAME, one)
    deployer.remove(NAME, other)
    assert [one["Version"] for one in versions(cloud, deployer)] == ["1", "2"]
    switch(validation, one, shared)
    deployer.remove(NAME, other)
    assert [one["Version"] for one in versions(cloud, deployer)] == ["1"]


def test_throttling_is_waited_for(made, built, cloud):
    deployer = made()
    busy = {"status": 429, "code": "TooManyRequestsException", "times": 2}
    cloud.fail({**busy, "method": "GET", "path": "configuration"}, {**busy, "method": "POST", "path": "versions"})
    at = deployer.push(built(deployer))
    cloud.fail({**busy, "times": 1000, "method": "POST", "path": "invocations"})
    with pytest.raises(NotReadyError, match=r"AWS refused invoke \(TooManyRequestsException"):
        deployer.predict(NAME, [{}], at)


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (403, "UnrecognizedClientException", "Log in to AWS again"),
        (403, "ExpiredTokenException", "Log in to AWS again"),
        (403, "AccessDeniedException", "every action"),
        (400, "InvalidParameterValueException", "Mend what it names"),
    ],
)
def test_what_aws_refuses_says_what_to_do(status, code, remedy, made, cloud):
    cloud.fail({"status": status, "code": code, "times": 1000, "method": "GET", "path": "aliases"})
    with pytest.raises(DeployError, match=rf"AWS refused get_alias \({code}\)") as raised:
        made().live(NAME)
    assert remedy in raised.value.remedy


def test_no_network_no_credentials_and_no_region_are_told_apart(made, cloud, monkeypatch):
    with pytest.raises(NotReadyError, match="Could not connect") as raised:
        made(endpoint_url="http://127.0.0.1:9").live(NAME)
    assert "network" in raised.value.remedy
    with pytest.raises(ConfigError, match="No region"):
        made(region="").live(NAME)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigError, match="nobody"):
        made().live(NAME)
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(DeployError, match="Unable to locate credentials") as raised:
        made().live(NAME)
    assert "Log in to AWS" in raised.value.remedy


def test_without_boto3_the_extra_is_named(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(DeployError) as raised:
        made().live(NAME)
    assert raised.value.remedy == "pip install 'mlopskit-serverless[aws]'"


def test_a_zip_goes_by_the_bucket(made, built, cloud, pair):
    store = cloud.client("s3")
    store.create_bucket(Bucket="zips")
    deployer = made(bucket="zips")
    at = deployer.push(built(deployer))
    (held,) = store.list_objects_v2(Bucket="zips")["Contents"]
    assert re.fullmatch(rf"mlopskit/{deployer.function}/[0-9a-f]{{64}}\.zip", held["Key"])
    receipt = verify(pair[0], deployer, at)
    assert receipt.place == "emulated"
    assert {*receipt.measurements} == {"bundle_mb", "memory_mb"}
    missing = made(bucket="no-such-bucket")
    with pytest.raises(DeployError, match="NoSuchBucket"):
        missing.push(built(missing))


def test_rows_that_no_event_can_carry_are_refused(made, built):
    deployer = made()
    at = deployer.push(built(deployer))
    with pytest.raises(LimitError, match="an event of AWS Lambda at most"):
        deployer.predict(NAME, [{"text": "x" * 7_000_000}], at)


def test_a_function_that_fails_says_why(made, built, cloud):
    deployer = made()
    at = deployer.push(built(deployer))
    for text, expected in {
        "def handler(event, context):\n    raise ValueError('boom')": r"failed \(ValueError\): boom",
        "raise RuntimeError('no model')": "no model",
        "def handler(event, context):\n    return 7": "as statusCode, expected",
    }.items():
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            archive.writestr("lambda_function.py", text)
        cloud.say("tamper", **at, zip=base64.b64encode(data.getvalue()).decode())
        with pytest.raises(DeployError, match=expected) as raised:
            deployer.predict(NAME, [{}], at)
        assert raised.value.remedy


def test_the_policy_of_the_page_is_what_the_code_asks_for():
    """No action is missing, and none too many."""
    text = "".join(file.read_text() for file in [*SOURCE.glob("lambda*.py"), SOURCE / "aws.py"])
    asked = {*re.findall(r'"((?:get|create|update|delete|list|publish|tag|put|describe)_[a-z0-9_]+)"', text), "invoke"}
    names = {"invoke": "lambda:InvokeFunction", "put_object": "s3:PutObject", "get_log_events": "logs:GetLogEvents"}
    names["describe_log_streams"] = "logs:DescribeLogStreams"
    actions = {names.get(one, "lambda:" + one.title().replace("_", "")) for one in asked}
    (policy,) = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL))
    allowed = [[one["Action"]] if isinstance(one["Action"], str) else one["Action"] for one in policy["Statement"]]
    # Of these two, AWS itself asks: when a function gets its role, and when it takes its zip from a bucket.
    assert {action for some in allowed for action in some} == actions | {"iam:PassRole", "s3:GetObject"}
