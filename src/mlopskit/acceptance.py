"""What a deployed thing must do before users are led to it: answer as its package says, within its endpoint's gates."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence

from mlopskit.comparison import compare
from mlopskit.config import Config
from mlopskit.deployer import Deployer
from mlopskit.errors import ConfigError, NotReadyError, PluginError, RefusedError, VerificationError, unknown
from mlopskit.gates import Finding, Gate, Relative
from mlopskit.log import logger, one_line
from mlopskit.modelpackage import ModelPackage
from mlopskit.records import Answer, Locator, Receipt

DEADLINE = 60.0
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_log = logger()


def verify(package: ModelPackage, deployer: Deployer, at: Locator | None, /, *, deadline: float = DEADLINE) -> Receipt:
    """Ask a deployed thing for the package's golden rows and return the receipt, if it passed.

    With None as its place, what users get now is asked.

    Raises:
        VerificationError: it answered otherwise, or is another package; the receipt is on the error.
        NotReadyError: it did not answer until the deadline.
        PluginError: it measured something that is no number.
    """
    rows = [golden.row for golden in package.golden]
    answer = _patiently(lambda: deployer.predict(package.name, rows, at), deadline)
    if answer.digest != package.digest:
        raise VerificationError(
            f"The target {deployer.target!r} answers as {answer.digest}, expected {package.digest}.",
            remedy="Look at 'mlopskit status': something else is deployed there.",
            answered=answer.digest,
        )
    check_measurements(answer, deployer.target)
    receipt = compare(package, answer)
    if not receipt.passed:
        raise VerificationError(
            f"The target {deployer.target!r} answered {len(receipt.mismatches)} outputs of {receipt.rows} golden rows "
            f"otherwise, by up to {receipt.largest_difference:.3g}:\n{receipt.table().text(width=100)}\n",
            remedy="Find out what differs there (versions, processor, changed files); the receipt names the rows.",
            receipt=receipt,
        )
    return receipt


def _patiently(ask: Callable[[], Answer], deadline: float) -> Answer:
    end, pause = time.monotonic() + deadline, 0.05
    while True:
        try:
            return ask()
        except NotReadyError as error:
            if time.monotonic() + pause > end:
                raise
            _log.info("Asked again in %.2g s: %s", pause, error.message)
            time.sleep(pause)
            pause = min(2 * pause, 2.0)


def gates_of(config: Config, /, *, file: str) -> dict[str, tuple[Gate, ...]]:
    """Return the gates of each endpoint of a project.

    Raises:
        ConfigError: one of them is none that an endpoint can have.
    """
    return {
        name: endpoint_gates(options.get("gates", ()), where=f"{file} [endpoint.{name}]: ")
        for name, options in config.endpoint.items()
    }


def endpoint_gates(texts: str | Sequence[str], /, *, where: str = "") -> tuple[Gate, ...]:
    """Return the gates that bound what is measured where a package is deployed.

    Raises:
        ConfigError: one of them is no gate, or none on a measurement: it has a slice, or compares with what is live.
    """
    return tuple(_gate(text, where) for text in ([texts] if isinstance(texts, str) else texts))


def _gate(text: str, where: str) -> Gate:
    remedy = "Write a measurement, '<=' or '>=', and a number, for example 'cold_start_ms <= 1000'."
    try:
        gate = Gate.parse(text)
    except ConfigError as error:
        raise ConfigError(f"{where}{error.message}", remedy=remedy, gate=text) from error
    if gate.slice:
        wrong = "a measurement has no slices"
    elif isinstance(gate.limit, Relative):
        wrong = f"a measurement is compared with a number, and not with {gate.limit.alias!r}"
    elif gate.at == "value":
        wrong = "a measurement is a plain value anyway, without '.value'"
    elif not _NAME.fullmatch(gate.metric):
        wrong = f"{gate.metric!r} is no name of a measurement"
    else:
        return gate
    remedy += " Gates on the quality of the model stand in [evaluate]."
    raise ConfigError(f"{where}{ascii(text)} is no gate of an endpoint: {wrong}.", remedy=remedy, gate=text)


def check_gates(gates: Sequence[Gate], receipt: Receipt, /, *, endpoint: str) -> None:
    """Check that what was measured with a receipt keeps the gates of an endpoint.

    Raises:
        RefusedError: it does not, or was not measured; `receipt` and `findings` are on the error.
    """
    findings = [_finding(gate, receipt) for gate in gates]
    failed = [one for one in findings if not one.passed]
    if failed:
        where = f"the gates of the endpoint {endpoint!r}"
        missed = any(one.reached is None for one in failed)
        beyond = any(one.reached is not None for one in failed)
        advice = [f"Make it smaller or faster, or change the limit in {where}."] if beyond else []
        advice += [f"Leave out of {where} what is not measured there."] if missed else []
        raise RefusedError(
            f"The package {receipt.package} was refused by the endpoint {endpoint!r}: "
            f"{'; '.join(one_line(f'{one.gate} ({one.reason})') for one in failed)}.",
            remedy=" ".join(["Nothing was switched.", *advice]),
            receipt=receipt,
            findings=findings,
        )


def _finding(gate: Gate, receipt: Receipt) -> Finding:
    value = receipt.measurements.get(gate.metric)
    if value is not None:
        return gate.judge_value(value, "measured")
    missing = unknown("measurement", gate.metric, receipt.measurements)
    return gate.finding(f"{str(missing).rstrip('.')}; {receipt.answered_by} answered")


def check_measurements(answer: Answer, target: str, /) -> None:
    """Check that what a target measured are plain names with numbers.

    Raises:
        PluginError: they are not, or they hold a time that an emulator took: that is not the processor's.
    """
    measured: Mapping[str, object] = answer.measurements
    for name, value in measured.items():
        number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
        if number and _NAME.fullmatch(name) and not (answer.place == "emulated" and name.endswith("_ms")):
            continue
        raise PluginError(
            f"The target {target!r}, answering as {answer.place!r}, measured {ascii(name)} as {value!r}.",
            remedy="Let its deployer say plain names and numbers from 0 on, {'memory_mb': 31.5}, and no time under "
            "an emulator.",
            target=target,
        )
