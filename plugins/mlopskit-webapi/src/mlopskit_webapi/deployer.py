"""The target `webapi`: servers that follow an alias, and are asked over HTTP before and after it moves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mlopskit import (
    Answer,
    Bundle,
    FileShare,
    Locator,
    ModelPackage,
    PublishingDeployer,
    Row,
    ask_over_http,
    read_over_http,
)
from mlopskit.errors import ConfigError, DeployError, NotReadyError

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
            try:
                answer = ask_over_http(server.rstrip("/") + path, rows, token=self._token(), not_yet=_NOT_YET)
            except NotReadyError as error:
                if at is not None and live != self.live(name):
                    self._offer(name, at)
                why = self._fault(server.rstrip("/"), name, digest)
                said = f"{server} does not answer for {digest} yet: {why}." if why else error.message
                raise NotReadyError(said, remedy="Look at its /metadata, and its log.") from error
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

    def _fault(self, server: str, name: str, digest: str) -> str:
        """Return what a server says of a package that it does not answer for; nothing if it says nothing."""
        try:
            about = read_over_http(f"{server}/models/{name}/metadata", token=self._token())
            of = [about, about["beside"] or {}]
            faults = [one["fault"] for one in of if one.get("newest") == digest and one.get("fault")]
        except (DeployError, LookupError, TypeError, AttributeError):
            return ""
        return str(faults[0]).rstrip(".") if faults else "it has not looked for it yet"

    def _token(self) -> str:
        return os.environ.get(self.token_env, "") if self.token_env else ""
