"""Where a function of AWS Lambda stands, and what it is given: options that reach AWS, each checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from mlopskit.errors import ConfigError
from mlopskit_serverless.manifests import function_name
from mlopskit_serverless.options import FunctionOptions, check_options

# As AWS Lambda's own model has them (botocore, service-2.json); a name is one here, not an ARN.
_FUNCTION = re.compile(r"[a-zA-Z0-9_-]{1,64}", re.ASCII)
_ALIAS = re.compile(r"(?![0-9]+\Z)[a-zA-Z0-9_-]{1,128}", re.ASCII)
_ROLE = re.compile(r"arn:(?:aws[a-zA-Z-]*):iam::[0-9]{12}:role/[a-zA-Z0-9_+=,.@/-]{1,512}", re.ASCII)
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_SECONDS = range(1, 901)
_VISIBLE = re.compile(r"[!-~]{1,255}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class LambdaOptions(FunctionOptions):
    """Where a function of AWS Lambda stands, and what it is given.

    `function` is its name, "mlopskit-" and the model's if none is given, `region` the one of boto3's usual chain. It is
    made with the role `role`; without one it has to be there. Users ask its `alias`. One answer may take `timeout`
    seconds. With a `bucket` the zip is brought by that, which those over 50 MB need. `endpoint_url` is an emulator's
    address.
    """

    function: str = ""
    region: str = ""
    role: str = ""
    alias: str = "production"
    timeout: int = 30
    bucket: str = ""
    endpoint_url: str = ""


def check_lambda(options: LambdaOptions, name: str, /) -> str:
    """Return the function's name for a model's, once all options are what they shall be.

    Raises:
        ConfigError: one is not; the message has its name and value.
    """
    check_options(options, name)
    _check("region", options.region, _REGION, 'Write it as AWS does: region = "eu-central-1".')
    _check("role", options.role, _ROLE, 'Give its ARN: role = "arn:aws:iam::123456789012:role/NAME".')
    _check("bucket", options.bucket, _BUCKET, "Name a bucket, without s3:// and without a folder.")
    if not _ALIAS.fullmatch(options.alias):
        raise _wrong("alias", options.alias, 'Take letters, digits, - and _, not digits alone: alias = "production".')
    if type(options.timeout) is not int or options.timeout not in _SECONDS:
        raise _wrong("timeout", options.timeout, f"Give seconds from {_SECONDS.start} to {_SECONDS.stop - 1}.")
    if options.endpoint_url and not _is_address(options.endpoint_url):
        # Not shown: what stands before an @ is a password.
        raise ConfigError(
            "endpoint_url is no plain address of http or https.",
            remedy='Write it without user and path: endpoint_url = "http://127.0.0.1:5000".',
            key="endpoint_url",
        )
    function = options.function or function_name(name)
    if not _FUNCTION.fullmatch(function):
        raise _wrong("function", function, "Name it by up to 64 letters, digits, - and _: function = …")
    return function


def _check(key: str, value: str, form: re.Pattern[str], remedy: str) -> None:
    if value and not form.fullmatch(value):
        raise _wrong(key, value, remedy)


def _wrong(key: str, value: object, remedy: str) -> ConfigError:
    return ConfigError(f"{key} is {value!a}, which AWS Lambda does not take.", remedy=remedy, key=key)


def _is_address(value: str) -> bool:
    if not _VISIBLE.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
        plain = parts.port is None or parts.port > 0
    except ValueError:
        return False
    bare = not (parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"))
    return bare and plain and parts.scheme in ("http", "https") and bool(parts.hostname)
