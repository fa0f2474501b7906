"""The servers that are measured: how each is started, asked, and understood."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving.environments import HERE, AbsentError, environment
from serving.models import Served

SERVERS = HERE / "servers"
PRODUCTS = ("MLServer 1.7.1", "vetiver 0.2.6", "LitServe 0.2.19", "MLflow 3.17.2", "BentoML 1.4.39")
PLAIN = "plain FastAPI + scikit-learn, by hand"
LIMIT = "granian RSGI + msgspec + plain scorer, by hand: the limit"
ONNX = "granian RSGI + msgspec + ONNX Runtime, by hand"
ECHO = "granian RSGI echo: the floor"
OURS = "mlopskit serve"

Rows = Sequence[Mapping[str, Any]]


def _rows(rows: Rows) -> dict[str, Any]:
    return {"rows": [*rows]}


def _predictions(said: Any) -> list[str]:
    return [row["prediction"] for row in said["rows"]]


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A server: its environment's name, its command for a model's folder and a port, the body and the answer of rows.

    `prepared` writes what it needs beside the model, before it is started.
    """

    name: str
    environment: str = ""
    command: Callable[[Path, Served, int], Sequence[str]]
    variables: Callable[[Served, int], Mapping[str, str]] = lambda _served, _port: {}
    path: Callable[[Served], str] = lambda _: "/predict"
    body: Callable[[Rows], Any] = _rows
    labels: Callable[[Any], list[str]] = _predictions
    prepared: Callable[[Path, Served], object] = lambda _programs, _served: None
    serves: Callable[[Served], bool] = field(default=lambda _: True)

    def programs(self) -> Path:
        """Return the folder of its programs.

        Raises:
            AbsentError: it could not be installed.
        """
        return (environment(self.environment) if self.environment else Path(sys.executable).parents[1]) / "bin"


def _granian(programs: Path, served: Served, port: int) -> list[str]:
    del served
    options = ["--interface", "rsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--http", "1"]
    return [str(programs / "granian"), *options, "--loop", "uvloop", "--no-ws", "--no-log", "rsgi:app"]


def _script(name: str) -> Callable[[Path, Served, int], list[str]]:
    return lambda programs, served, port: [str(programs / "python"), str(SERVERS / name), str(served.folder), str(port)]


def _hand_made(mode: str) -> Callable[[Served, int], Mapping[str, str]]:
    return lambda served, _: {"MODE": mode, "MODEL": str(served.folder), "PYTHONPATH": str(SERVERS)}


def _of_tables(said: Any) -> list[str]:
    return said["prediction"] if "prediction" in said else _predictions(said)


def _runtime(_: Path, served: Served) -> None:
    from mlopskit import runtime_files, write_files

    if not (served.folder / "runtime").exists():
        write_files(runtime_files(["portable"]), served.folder / "runtime")


def _is_texts(rows: Rows) -> bool:
    return "Comment" in rows[0]


# --- MLServer: the Open Inference Protocol --------------------------------------------------------------------------

_V2 = {float: ("FP64", None), int: ("INT64", None), bool: ("BOOL", None), str: ("BYTES", "str")}


def _v2(rows: Rows) -> Any:
    """Return a request of the protocol: texts as a list, columns as a frame of pandas."""
    inputs = []
    for name, first in rows[0].items():
        datatype, content = _V2[type(first)]
        one: dict[str, Any] = {"name": name, "shape": [len(rows)], "datatype": datatype}
        one["data"] = [row[name] for row in rows]
        if content:
            one["parameters"] = {"content_type": content}
        inputs.append(one)
    return {"parameters": {"content_type": "str" if _is_texts(rows) else "pd"}, "inputs": inputs}


def _settings(_: Path, served: Served) -> None:
    folder = served.folder / "mlserver"
    folder.mkdir(exist_ok=True)
    model = {"name": "model", "implementation": "mlserver_sklearn.SKLearnModel"}
    model["parameters"] = {"uri": str(served.folder / "model.joblib")}
    folder.joinpath("model-settings.json").write_text(json.dumps(model), "utf-8")


def _mlserver(_: Served, port: int) -> dict[str, str]:
    # The model in the process itself: a pool of workers is slower on one core.
    variables = {"MLSERVER_HOST": "127.0.0.1", "MLSERVER_PARALLEL_WORKERS": "0", "MLSERVER_DEBUG": "false"}
    return {**variables, "MLSERVER_HTTP_PORT": str(port), "MLSERVER_GRPC_PORT": str(free_port())}


def _bento(served: Served, _: int) -> dict[str, str]:
    return {"MODEL": str(served.folder), "PYTHONPATH": str(SERVERS), "BENTOML_DO_NOT_TRACK": "True"}


# --- MLflow ---------------------------------------------------------------------------------------------------------


def _saved(programs: Path, served: Served) -> None:
    if not (served.folder / "mlflow").exists():
        command = [str(programs / "python"), str(SERVERS / "flow.py"), str(served.folder)]
        subprocess.run(command, check=True, capture_output=True)


def _mlflow(programs: Path, served: Served, port: int) -> list[str]:
    model = ["--model-uri", str(served.folder / "mlflow"), "--env-manager", "local"]
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    return [str(programs / "mlflow"), "models", "serve", *model, *options]


def _invocation(rows: Rows) -> Any:
    if _is_texts(rows):
        return {"inputs": [row["Comment"] for row in rows]}
    return {"dataframe_records": [*rows]}


def free_port() -> int:
    """Return a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


# --- all ------------------------------------------------------------------------------------------------------------


def peers() -> list[Peer]:
    """Return the servers, ours last."""
    mlserver, vetiver, litserve, mlflow, bentoml = PRODUCTS
    return [
        Peer(name=PLAIN, environment="fastapi", command=_script("by_hand.py")),
        Peer(
            name=mlserver,
            environment="mlserver",
            command=lambda programs, served, _: [str(programs / "mlserver"), "start", str(served.folder / "mlserver")],
            variables=_mlserver,
            path=lambda _: "/v2/models/model/infer",
            body=_v2,
            labels=lambda said: said["outputs"][0]["data"],
            prepared=_settings,
        ),
        Peer(
            name=vetiver,
            environment="vetiver",
            command=_script("vet.py"),
            body=lambda rows: [*rows],
            labels=lambda said: said["predict"],
        ),
        Peer(name=litserve, environment="litserve", command=_script("lit.py"), labels=lambda said: said["labels"]),
        Peer(
            name=mlflow,
            environment="mlflow",
            command=_mlflow,
            path=lambda _: "/invocations",
            body=_invocation,
            labels=lambda said: said["predictions"],
            prepared=_saved,
        ),
        Peer(
            name=bentoml,
            environment="bentoml",
            command=lambda programs, _, port: [str(programs / "bentoml"), "serve", "bento:Scorer", "--port", str(port)],
            variables=_bento,
            labels=lambda said: said,
        ),
        Peer(name=ONNX, environment="granian", command=_granian, variables=_hand_made("onnx"), labels=_of_tables),
        Peer(
            name=LIMIT, environment="granian", command=_granian, variables=_hand_made("plain"), prepared=_runtime
        ),
        Peer(
            name=ECHO,
            environment="granian",
            command=_granian,
            variables=_hand_made("echo"),
            labels=lambda _: [],
            serves=lambda served: "Comment" in served.rows[0],
        ),
        Peer(
            name=OURS,
            command=lambda programs, served, port: [
                str(programs / "mlopskit"), "serve", f"{served.name}@production", "--port", str(port)
            ],
        ),
    ]  # fmt: skip


def absent(peer: Peer, /) -> str:
    """Return why a server cannot be measured here, empty if it can."""
    try:
        peer.programs()
    except AbsentError as error:
        return str(error)
    return ""
