"""What stands beside a zip: manifests that say what is meant, whatever a package says of itself, and commands."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex

import pytest
from mlopskit_serverless.manifests import function_name, manifests
from mlopskit_serverless.options import FunctionOptions
from mlopskit_serverless.services import AWS, AZURE, GOOGLE
from ruamel.yaml import YAML

SERVICES = [AWS, AZURE, GOOGLE]
MANIFESTS = {AWS.name: "template.yaml", AZURE.name: "settings.json", GOOGLE.name: "environment.json"}
# What YAML, JSON, CloudFormation, a shell or a template of Python would read something else in.
HOSTILE = [
    "!!python/object/apply:os.system [id]",
    "a: b",
    "- x\n- y",
    "&a [*a, *a]",
    '"}\nRole: {"Fn::GetAtt": [Admin, Arn]',
    "$(touch x)",
    "`touch x`; touch x",
    "${AWS::AccountId}",
    "$digest {{7*7}}",
    "null",
    "\u2028\u202e'",
]


def made(service, package, format="portable", **options):
    return manifests(service, FunctionOptions(**options), package, format)


def called(package, name):
    return dataclasses.replace(package, manifest={**package.manifest, "name": name})


def parsed(files):
    return YAML(typ="safe").load(files["template.yaml"])


def commands(page):
    """Return each command of a page, as a shell would take it apart."""
    blocks = re.findall(r"```sh\n(.*?)```", page.decode(), re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.strip("\n").split("\n")]


def test_the_template_of_a_function_says_what_it_is(package):
    said = parsed(made(AWS, package, platform="linux/aarch64", python="3.12", memory=256))
    assert [one["Type"] for one in said["Resources"].values()] == [
        "AWS::Logs::LogGroup",
        "AWS::IAM::Role",
        "AWS::Serverless::Function",
    ]
    function = said["Resources"]["Model"]["Properties"]
    assert function["Handler"] == f"{AWS.handlers[0].removesuffix('.py')}.handler"
    assert (function["Runtime"], function["Architectures"], function["MemorySize"]) == ("python3.12", ["arm64"], 256)
    assert function["FunctionUrlConfig"] == {"AuthType": "AWS_IAM"}
    assert function["Environment"] == {"Variables": {}}
    assert function["Tags"]["mlopskit:digest"] == package.digest
    assert said["Resources"]["Logs"]["Properties"]["LogGroupName"] == f"/aws/lambda/{function['FunctionName']}"


def test_a_function_may_write_its_log_and_nothing_else(package):
    (policy,) = parsed(made(AWS, package))["Resources"]["Role"]["Properties"]["Policies"]
    (right,) = policy["PolicyDocument"]["Statement"]
    assert right["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert right["Resource"] == {"Fn::GetAtt": ["Logs", "Arn"]}


def test_a_function_that_follows_an_alias_may_read_that_model_and_no_other(package):
    said = parsed(made(AWS, package, model_uri="s3://bucket/models/loans@production"))
    (policy,) = said["Resources"]["Role"]["Properties"]["Policies"]
    _, read, look = policy["PolicyDocument"]["Statement"]
    assert (read["Action"], look["Action"]) == (["s3:GetObject"], ["s3:ListBucket"])
    assert read["Resource"] == {"Fn::Sub": "arn:${AWS::Partition}:s3:::bucket/models/loans/*"}
    assert look["Resource"] == {"Fn::Sub": "arn:${AWS::Partition}:s3:::bucket"}
    assert look["Condition"] == {"StringLike": {"s3:prefix": ["models/loans/*"]}}
    variables = said["Resources"]["Model"]["Properties"]["Environment"]["Variables"]
    assert variables == {"MODEL_URI": "s3://bucket/models/loans@production"}


@pytest.mark.parametrize("uri", ["az://account/models/loans@production", "https://host/loans@production"])
def test_a_place_of_another_cloud_gives_no_right_in_this(uri, package):
    (policy,) = parsed(made(AWS, package, model_uri=uri))["Resources"]["Role"]["Properties"]["Policies"]
    assert len(policy["PolicyDocument"]["Statement"]) == 1


def test_the_settings_of_an_app_name_the_model_and_none_that_its_plan_refuses(package):
    uri = "az://account/models/loans@production"
    said = json.loads(made(AZURE, package, model_uri=uri)["settings.json"])
    assert {one["name"]: one["value"] for one in said} == {"MODEL_URI": uri, "AzureWebJobsDisableHomepage": "true"}


@pytest.mark.parametrize(("memory", "given"), [(128, "512"), (512, "512"), (513, "2048"), (9000, "4096")])
def test_an_instance_of_azure_is_the_smallest_that_holds_the_memory(memory, given, package):
    create, _, deploy, _ = commands(made(AZURE, package, memory=memory)["README.md"])
    assert create[create.index("--instance-memory") + 1] == given
    assert deploy[deploy.index("--build-remote") + 1] == "false"


def test_the_command_for_google_asks_who_calls_and_gives_no_role(package):
    files = made(GOOGLE, package, python="3.12", memory=256, model_uri="gs://bucket/loans@production")
    (deploy,) = [one for one in commands(files["README.md"]) if one[0] == "gcloud"]
    assert json.loads(files["environment.json"]) == {"MODEL_URI": "gs://bucket/loans@production"}
    assert {"--no-allow-unauthenticated", "python312", "256Mi", "environment.json", "answer"} <= {*deploy}
    assert deploy[deploy.index("--service-account") + 1] == "ACCOUNT"
    assert "--env-vars-file" not in commands(made(GOOGLE, package)["README.md"])[1]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_package_says_of_itself_changes_no_manifest(service, name, package):
    """F3, A15: the manifest has the same form, and the name stands in it as it is or not at all."""
    found, usual = made(service, called(package, name)), made(service, package)
    assert found.keys() == usual.keys() == {"README.md", MANIFESTS[service.name]}
    assert "49" not in found["README.md"].decode().replace(package.digest, "")
    if service is not AWS:
        assert found[MANIFESTS[service.name]] == usual[MANIFESTS[service.name]]
        return
    said, expected = parsed(found), parsed(usual)
    assert said["Description"] == f"The model {name}, {package.digest}."
    assert said["Resources"]["Model"]["Properties"]["Tags"]["mlopskit:name"] == name
    assert _forms(said) == _forms(expected)
    assert said["Resources"]["Role"] == expected["Resources"]["Role"]


def _forms(value):
    if isinstance(value, dict):
        return {key: _forms(one) for key, one in value.items()}
    return [*map(_forms, value)] if isinstance(value, list) else type(value)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", [one for one in HOSTILE if "\n" not in one])
def test_a_name_stays_one_argument_of_a_command(service, name, package):
    """F2: a shell takes the commands apart as they were put together."""
    found, usual = (commands(made(service, one)["README.md"]) for one in (called(package, name), package))
    there, here = function_name(name), function_name(package.name)
    assert found == [[part.replace(here, there) for part in command] for command in usual]


@pytest.mark.parametrize("name", ["a", "a.b_c", "0-9", "x" * 63, "a..b", "a-"])
def test_every_name_of_a_model_is_one_that_services_take(name):
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,58}[a-z0-9]", function_name(name))
