"""The target `webapi`: servers that follow an alias, and are asked over HTTP before and after it moves."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mlopskit import Answer, Bundle, FileShare, Locator, ModelPackage, PublishingDeployer, Row
from mlopskit.errors import ConfigError, DeployError, NotReadyError

_TIMEOUT = 60.0
_LARGEST = 256 << 20
_NOT_YET = (404, 502, 503, 504)


@dataclass(frozen=True, kw_only=True)
class WebApi(PublishingDeployer):
    """Publishes packages to `to`, which the servers at the addresses `servers` follow.

    Each is started with `mlopskit serve TO/NAME@ALIAS --beside BESIDE`: what is pushed it answers by its digest, what
    `alias` names to everybody. `token_env` names the environment's variable that holds the servers' token.
    """

    target: ClassVar[str] = "webapi"

    servers: Sequence[str] = ()
    beside: str = "candidate"
    token_env: str = ""

    def check(self, package: ModelPackage, /) -> None:
        """Check that there are servers to ask."""
        del package
        wrong = [one for one in self.servers if not one.startswith(("http://", "https://"))]
        if wrong or not self.servers:
            said = f"{wrong[0]!r} is no address of a server" if wrong else "There is no server"
            raise ConfigError(f"{said}.", remedy='Write servers = ["http://127.0.0.1:8000"].', key="servers")
        if self.beside == self.alias:
            raise ConfigError(f"alias and beside are both {self.alias!r}.", remedy="Name two.", key="beside")

    def push(self, bundle: Bundle, /) -> Locator:
        """Commit the package, and let the servers load it beside what is live."""
        at = super().push(bundle)
        self._offer(bundle.name, at)
        return at

    def predict(self, name: str, rows: Sequence[Row], at: Locator | None, /) -> Answer:
        """Ask every server: by the package's digest, or as users ask.

        Raises:
            NotReadyError: one does not answer with that package yet.
        """
        live = self.live(name) if at is None else at
        if live is None:
            raise DeployError(f"Nothing is live for {name!r} at {self.to!r}.", remedy="Deploy a package there first.")
        digest = live["bundle"]
        path = f"/models/{name}/predict" if at is None else f"/models/{name}/versions/{digest}/predict"
        answers = []
        for server in self.servers:
            answer = self._ask(server.rstrip("/"), path, rows)
            if isinstance(answer, str):
                if at is not None and live != self.live(name):
                    self._offer(name, at)
                why = self._fault(server.rstrip("/"), name, digest)
                said = f"does not answer for {digest} yet: {why}" if why else f"cannot be asked: {answer}"
                raise NotReadyError(f"{server} {said}.", remedy="Look at its /metadata, and its log.")
            if at is None and answer.digest != digest:
                raise NotReadyError(f"{server} still answers with {answer.digest}.", remedy="Look at its /metadata.")
            answers.append(answer)
        # One that answers otherwise than the first is what has to be looked at.
        return next((one for one in answers if one.rows != answers[0].rows), answers[0])

    def remove(self, name: str, at: Locator, /) -> None:
        """Let the servers forget what was pushed and is not live; the package stays, as it is everybody's."""
        offered = self._beside()
        if offered.live(name) == at:
            offered.activate(name, None, instead_of=at, why="removed")

    def _beside(self) -> FileShare:
        return FileShare(to=self.to, alias=self.beside)

    def _offer(self, name: str, at: Locator) -> None:
        offered = self._beside()
        offered.activate(name, at, instead_of=offered.live(name), why="pushed")

    def _ask(self, server: str, path: str, rows: Sequence[Row]) -> Answer | str:
        """Return a server's answer, or why there is none yet."""
        try:
            said = self._said(server + path, json.dumps({"rows": [dict(row) for row in rows]}).encode())
            return Answer(rows=said["rows"], digest=said["digest"], runtime=said["runtime"])
        except urllib.error.HTTPError as error:
            detail, remedy = _problem(error.read())
            if error.code in _NOT_YET:
                return f"{error.code}, {detail}"
            raise DeployError(f"{server} answered {error.code}: {detail}", remedy=remedy) from error
        except (OSError, ValueError, LookupError, TypeError) as error:
            return str(getattr(error, "reason", None) or f"{type(error).__name__}: {error}")

    def _fault(self, server: str, name: str, digest: str) -> str:
        """Return what a server says of a package that it does not answer for; nothing if it says nothing."""
        try:
            about = self._said(f"{server}/models/{name}/metadata")
            of = [about, about["beside"] or {}]
            faults = [one["fault"] for one in of if one.get("newest") == digest and one.get("fault")]
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return ""
        return str(faults[0]).rstrip(".") if faults else "it has not looked for it yet"

    def _said(self, address: str, body: bytes | None = None) -> Any:
        headers = {"content-type": "application/json"}
        if self.token_env:
            headers["authorization"] = f"Bearer {os.environ.get(self.token_env, '')}"
        request = urllib.request.Request(address, body, headers)  # noqa: S310  # opened as http(s) or not at all
        with _opener().open(request, timeout=_TIMEOUT) as reply:
            return json.loads(reply.read(_LARGEST))


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens http(s) addresses alone, and follows them to no other: the token is for this server."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _problem(body: bytes) -> tuple[str, str]:
    try:
        told = json.loads(body)
        return str(told["detail"]), str(told["remedy"])
    except (ValueError, KeyError, TypeError):
        return "no problem details", "Look at the server's log."
