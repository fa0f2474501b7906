"""AWS by boto3: a client of the usual credentials, and what it says, in words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from mlopskit.errors import ConfigError, DeployError, MlopskitError, NotReadyError
from mlopskit_serverless.lambdaoptions import LambdaOptions

Reply = dict[str, Any]
ABSENT = ("ResourceNotFoundException",)
_NAMES = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_UNKNOWN = (
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
_LATER = (
    "429",
    "500",
    "502",
    "503",
    "504",
    "RequestLimitExceeded",
    "ResourceNotReadyException",
    "ServiceException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
)
_LOG_IN = "Log in to AWS again (aws sso login, aws configure, AWS_PROFILE), then repeat it."
_ATTEMPTS = 5


@contextlib.contextmanager
def client(service: str, options: LambdaOptions, /) -> Iterator[Any]:
    """Give a client of a service of AWS, whose credentials are those of boto3's usual chain.

    Raises:
        DeployError: boto3 is not installed, there are no credentials, or no region is set.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise DeployError(
            f"AWS Lambda is reached by boto3, which cannot be imported: {error}.",
            remedy="pip install 'mlopskit-serverless[aws]'",
        ) from error
    config = Config(
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        connect_timeout=10,
        # A function may take all of its time, and has to be started before.
        read_timeout=options.timeout + 60,
    )
    with worded(f"The client of {service}"):
        session = boto3.session.Session(region_name=options.region or None)
        made = session.client(service, endpoint_url=options.endpoint_url or None, config=config)
    with contextlib.closing(made):
        yield made


def is_emulated(client: Any, /) -> bool:
    """Say whether a client asks something else than AWS: by an option, or by the environment."""
    return not (urlsplit(client.meta.endpoint_url).hostname or "").endswith(_NAMES)


def call(client: Any, operation: str, /, *, unless: Sequence[str] = (), **parameters: Any) -> Reply | None:
    """Return what AWS answers to an operation; None if it refuses by one of these codes.

    Raises:
        NotReadyError: it cannot be reached, or has no time now.
        DeployError: it refuses for another reason; the message has it.
    """
    from botocore.exceptions import ClientError

    with worded(operation):
        try:
            reply: Reply = getattr(client, operation)(**parameters)
        except ClientError as error:
            if _code(error) in unless:
                return None
            raise
        return reply


@contextlib.contextmanager
def worded(what: str, /) -> Iterator[None]:
    """Turn what botocore raises into an error that says what to do."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _refused(what, error) from error
    except BotoCoreError as error:
        raise _failed(what, error) from error


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(what: str, error: Any) -> DeployError:
    """Return the error for an answer of AWS that is none."""
    code, said = _code(error), str(error.response.get("Error", {}).get("Message", "")).strip() or "no reason"
    message = f"AWS refused {what} ({code}): {said.rstrip('.')}."
    if code in _LATER:
        return NotReadyError(message, remedy="Wait a minute, then repeat it: what was done is found done.", code=code)
    if code in _UNKNOWN:
        return DeployError(message, remedy=_LOG_IN, code=code)
    if code.startswith("AccessDenied"):
        return DeployError(
            message, remedy="Allow it to whoever deploys: the target's how-to page lists every action.", code=code
        )
    if "role" in said.lower():
        remedy = "Give a role that lambda.amazonaws.com may assume; one that was just made takes some seconds."
        return DeployError(message, remedy=remedy, code=code)
    return DeployError(message, remedy="Mend what it names, then repeat it: what was done is found done.", code=code)


def _failed(what: str, error: Exception) -> MlopskitError:
    """Return the error for an answer that did not come."""
    from botocore import exceptions as known

    message = f"AWS cannot be asked for {what}: {error}"
    if isinstance(error, known.NoRegionError):
        return ConfigError("No region of AWS is set.", remedy='Name one: region = "eu-central-1".', key="region")
    if isinstance(error, known.ProfileNotFound):
        return ConfigError(message, remedy="Mend AWS_PROFILE, or the profile in ~/.aws/config.")
    if isinstance(error, known.HTTPClientError | known.ConnectionError):
        return NotReadyError(message, remedy="Mend the network, a proxy's settings or endpoint_url, then repeat it.")
    return DeployError(message, remedy=_LOG_IN)
