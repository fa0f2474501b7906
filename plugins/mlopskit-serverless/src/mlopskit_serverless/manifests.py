"""What a service wants beside a function's zip: manifests with the fewest rights that do, and the commands to use them.

Each value is written by a serializer, and JSON is YAML; each command is a list that is quoted for a shell.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from mlopskit import ModelPackage
from mlopskit_serverless.building import ZIP
from mlopskit_serverless.contents import template
from mlopskit_serverless.options import ARCHITECTURES, FunctionOptions
from mlopskit_serverless.services import AWS, AZURE, GOOGLE, Service

_S3 = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<folder>.+)@[^@]+")
_SECONDS = 30
# What an instance of Azure's plan Flex Consumption may have, in MiB.
_INSTANCES = (512, 2048, 4096)
_TEMPORARY = 512


def manifests(service: Service, options: FunctionOptions, package: ModelPackage, format: str, /) -> dict[str, bytes]:
    """Return the files that stand beside the zip of a service, and the page that says how they are used."""
    name = function_name(package.name)
    words = {
        "digest": package.digest,
        "format": format,
        "model": package.name,
        "platform": options.platform,
        "python": options.python,
    }
    made = {AWS.name: _aws, AZURE.name: _azure, GOOGLE.name: _google}[service.name]
    files, commands, page = made(options, package, name)
    shell = {key: shlex.join(command) for key, command in commands.items()}
    return {**files, "README.md": template(page, **words, **shell)}


def function_name(model: str, /) -> str:
    """Return a model's name as all three services take it: letters, digits and `-`, at most 60 of them."""
    return f"mlopskit-{re.sub(r'[._-]+', '-', model).strip('-')[:50].strip('-')}"


def environment(options: FunctionOptions, /) -> dict[str, str]:
    """Return what a function finds in its environment beside what its service puts there."""
    return {"MODEL_URI": options.model_uri} if options.model_uri else {}


Made = tuple[Mapping[str, bytes], Mapping[str, Sequence[str]], str]


def _aws(options: FunctionOptions, package: ModelPackage, name: str) -> Made:
    values = {
        "architecture": ARCHITECTURES[options.platform],
        "description": f"The model {package.name}, {package.digest}.",
        "environment": environment(options),
        "logs": f"/aws/lambda/{name}",
        "memory": options.memory,
        "name": name,
        "runtime": f"python{options.python}",
        "seconds": _SECONDS,
        "statements": [_LOGS, *_reading(options.model_uri)],
        "tags": {"mlopskit:digest": package.digest, "mlopskit:name": package.name},
        "temporary": _TEMPORARY,
        "zip": ZIP,
    }
    words = {key: json.dumps(value) for key, value in values.items()}
    deploy = ["sam", "deploy", "--template-file", "template.yaml", "--stack-name", name, "--resolve-s3"]
    update = ["aws", "lambda", "update-function-code", "--function-name", name, "--zip-file", f"fileb://{ZIP}"]
    commands = {"deploy": [*deploy, "--capabilities", "CAPABILITY_IAM"], "update": update}
    return {"template.yaml": template("template.yaml", **words)}, commands, "README.aws.md"


_LOGS = {
    "Effect": "Allow",
    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
    "Resource": {"Fn::GetAtt": ["Logs", "Arn"]},
}


def _reading(uri: str) -> list[dict[str, Any]]:
    """Return the rights to read one model in S3; without that to list it, what is missing looks like a lack of rights.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    place = _S3.fullmatch(uri)
    if place is None:
        return []
    bucket = {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{place['bucket']}"}
    below = f"{place['folder']}/*"
    return [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{place['bucket']}/{below}"},
        },
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": bucket,
            "Condition": {"StringLike": {"s3:prefix": [below]}},
        },
    ]


def _azure(options: FunctionOptions, package: ModelPackage, name: str) -> Made:
    """Return what makes an app of the plan Flex Consumption: that for Linux before it takes no zip built elsewhere.

    https://learn.microsoft.com/azure/azure-functions/deployment-zip-push: there a package runs without a setting.
    """
    del package
    # Otherwise a page of Azure's own stands at the root.
    said = {"AzureWebJobsDisableHomepage": "true", **environment(options)}
    settings = [{"name": key, "value": value, "slotSetting": False} for key, value in sorted(said.items())]
    app = ["--resource-group", "GROUP", "--name", name]
    memory = next((size for size in _INSTANCES if size >= options.memory), _INSTANCES[-1])
    commands = {
        "create": [
            *("az", "functionapp", "create", *app, "--storage-account", "ACCOUNT"),
            *("--flexconsumption-location", "REGION", "--instance-memory", str(memory)),
            *("--runtime", "python", "--runtime-version", options.python, "--https-only", "true"),
            *("--assign-identity", "[system]"),
        ],
        "settings": ["az", "functionapp", "config", "appsettings", "set", *app, "--settings", "@settings.json"],
        "deploy": [
            *("az", "functionapp", "deployment", "source", "config-zip", *app),
            *("--build-remote", "false", "--src", ZIP),
        ],
        "key": ["az", "functionapp", "keys", "list", *app],
    }
    return {"settings.json": _json(settings)}, commands, "README.azure.md"


def _google(options: FunctionOptions, package: ModelPackage, name: str) -> Made:
    labels = {"mlopskit-digest": package.digest.removeprefix("sha256:")[:63]}
    given = ["--env-vars-file", "environment.json"] if options.model_uri else []
    commands = {
        "unpack": ["unzip", "-d", "function", ZIP],
        "deploy": [
            *("gcloud", "functions", "deploy", name, "--gen2", "--region", "REGION", "--source", "function"),
            *("--runtime", f"python{options.python.replace('.', '')}", "--entry-point", "answer"),
            *("--memory", f"{options.memory}Mi", "--timeout", f"{_SECONDS}s", "--trigger-http"),
            *("--no-allow-unauthenticated", "--service-account", "ACCOUNT", *given),
            *("--update-labels", ",".join(f"{key}={value}" for key, value in labels.items())),
        ],
    }
    return {"environment.json": _json(environment(options))}, commands, "README.google.md"


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"
