"""The client of a container: with its credentials, a pinned API version, and retries that end."""

from __future__ import annotations

import functools
import logging
import os
import random
import time
from typing import TYPE_CHECKING, Any

from mlopskit.errors import ConfigError
from mlopskit_blob.access import Access

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

VERSION = "MLOPSKIT_BLOB_API_VERSION"
# Older services and emulators refuse the newest version, which a client asks for by itself.
PINNED = "2025-11-05"
_BLOCK = 8 << 20
_CONNECT_SECONDS = 10
_LONGEST_PAUSE = 20.0
# Options that the client's own policy of retries, which knows no Retry-After, would take out.
_OF_ANOTHER_POLICY = ("hosts", "location_mode", "retry_to_secondary", "retry_hook")


@functools.lru_cache(maxsize=64)  # connections are kept open, and storages made by the dozen
def container_client(
    access: Access, container: str, deadline: float, silence: float, process: int, /
) -> ContainerClient:
    """Return a client; requests are tried again until the deadline, in seconds, as the service asks for it.

    `silence` is how long it may say nothing until it is asked again, in seconds.
    """
    from azure.storage.blob import ContainerClient

    del process  # connections belong to one
    _set_logging()
    version = os.environ.get(VERSION, PINNED)
    options: dict[str, Any] = {
        "retry_policy": _retry_policy(deadline),
        "permit_redirects": False,  # another host may be anybody's
        "connection_timeout": min(_CONNECT_SECONDS, silence),
        "read_timeout": silence,
        "max_single_put_size": _BLOCK,
        "max_block_size": _BLOCK,
        "max_single_get_size": _BLOCK,
        "max_chunk_get_size": _BLOCK,
    }
    try:
        return ContainerClient(
            access.endpoint, container, credential=_credential(access), api_version=version, **options
        )
    except ValueError as error:
        if "version" not in str(error):
            raise  # the storage says what it means
        why = access.redacted(str(error).partition("\n")[0])
    raise ConfigError(
        f"No client of {access.endpoint!r} with the API version {version!a} can be made: {why}",
        remedy=f"Correct {VERSION}, or unset it.",
    )


def _credential(access: Access) -> Any:
    if access.key:
        return {"account_name": access.account, "account_key": access.key}
    if access.sas:
        from azure.core.credentials import AzureSasCredential

        return AzureSasCredential(access.sas)
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


def _retry_policy(deadline: float) -> Any:
    from azure.core.pipeline.policies import RetryPolicy

    class Until(RetryPolicy[Any, Any]):
        """Tries again as the service asks, else ever more slowly and never in step with others, until a deadline."""

        def send(self, request: Any) -> Any:
            response = super().send(request)
            response.http_response.location_mode = "primary"  # the client reads it where it lists
            return response

        def configure_retries(self, options: dict[str, Any]) -> dict[str, Any]:
            for name in _OF_ANOTHER_POLICY:
                options.pop(name, None)
            return {**super().configure_retries(options), "end": time.monotonic() + deadline}

        def increment(self, settings: dict[str, Any], response: Any = None, error: Any = None) -> bool:
            again = super().increment(settings, response=response, error=error)
            asked = self.get_retry_after(response) if error is None else None
            settings["pause"] = asked or self.get_backoff_time(settings) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
            return again and time.monotonic() + settings["pause"] < settings["end"]

        def sleep(self, settings: dict[str, Any], transport: Any, response: Any = None) -> None:
            del response
            transport.sleep(settings["pause"])

    count = 100  # it is the deadline that ends them
    return Until(
        retry_total=count,
        retry_connect=count,
        retry_read=count,
        retry_status=count,
        retry_backoff_factor=0.2,
        retry_backoff_max=_LONGEST_PAUSE,
        timeout=deadline,
    )


class _NoSignatures(logging.Filter):
    """Cuts the query off addresses, for a signature stands in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_cut(one) if isinstance(one, str) else one for one in record.args)
        return True


def _cut(text: str) -> str:
    return f"{text.partition('?')[0]}?…" if "sig=" in text else text


def _set_logging() -> None:
    """Let urllib3, which at level DEBUG writes whole addresses, leave signatures out, and Azure speak to loggers alone.

    Where nobody has set up logging, Azure's warnings would be printed; what they say, our errors do.
    """
    logger = logging.getLogger("urllib3.connectionpool")
    if not any(isinstance(one, _NoSignatures) for one in logger.filters):
        logger.addFilter(_NoSignatures())
    azure = logging.getLogger("azure")
    if not azure.handlers:
        azure.addHandler(logging.NullHandler())
