"""Bundles are asked on the processor that they are for, under qemu, and over ssh; what stands beside them works."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from mlopskit_device.ort import converted
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import mlopskit as mk
from mlopskit.errors import DeployError

from .conftest import HERE, run

pytestmark = pytest.mark.live
PYTHON = ".".join(map(str, sys.version_info[:2]))
MACHINES = {"linux/aarch64": "aarch64", "linux/armv7": "armv7l"}
EMULATORS = {"linux/aarch64": "qemu-aarch64-static", "linux/armv7": "qemu-arm-static"}
COMPILERS = {"linux/aarch64": "aarch64-linux-gnu-gcc", "linux/armv7": "arm-linux-gnueabihf-gcc"}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A model of texts in several languages, and a number."""
    import pandas as pd

    words = ["good film", "schlechter Film", "DÉJÀ vu", "ΣΟΦΟΣ", "日本 映画", "awful", "très bien", "não gostei"]
    frame = pd.DataFrame({"comment": pd.Series(words * 10).astype("str"), "stars": [1.0, 2.0, 5.0, 3.0, None] * 16})
    frame["stars"] = frame["stars"].fillna(0.0)
    labels = ["yes" if i % 3 else "no" for i in range(80)]
    parts = ColumnTransformer([("text", TfidfVectorizer(), "comment"), ("stars", "passthrough", ["stars"])])
    model = make_pipeline(parts, LogisticRegression()).fit(frame, labels)
    registry = tmp_path_factory.mktemp("registry")
    return mk.package(model, frame, labels, name="film", gates=["accuracy.value >= 0"], registry=registry, X_train=None)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """A model of numbers of which some are missing."""
    import numpy as np

    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 6))
    target = rows[:, 0] * 3 + rows[:, 1] ** 2
    rows[::9, 2] = np.nan
    model = HistGradientBoostingRegressor(max_iter=30).fit(rows, target)
    registry = tmp_path_factory.mktemp("registry")
    return mk.package(model, rows, target, name="load", gates=["mae.value <= 9"], registry=registry, X_train=None)


def deployed(package, deployer, tmp_path):
    return mk.deploy(package, deployer, registry=package.folder.parents[2], why="test")


@pytest.mark.parametrize("python", ["3.11", "none"])
@pytest.mark.parametrize("platform", MACHINES)
def test_the_receipt_is_of_the_processor_that_the_bundle_is_for(
    platform, python, device, text, numbers, tmp_path, needs, record_property
):
    if python == "none":
        needs(COMPILERS[platform], EMULATORS[platform])
    # Emulated twice as slowly as the other, and alike: one model will do.
    for package in (text,) if (platform, python) == ("linux/armv7", "3.11") else (text, numbers):
        receipt = deployed(package, device(platform, python=python), tmp_path).receipt
        assert receipt.passed
        assert receipt.place == "emulated"
        assert receipt.runtime["machine"] == MACHINES[platform]
        assert receipt.runtime.get("python", "3.11").startswith("3.11")
        what = f"{platform}, {'a program in C' if python == 'none' else 'Python and the portable form'}"
        (bundle,) = (tmp_path / "place" / package.name / "device" / "bundles").iterdir()
        size = sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file())
        record_property(f"figure: bundle of the model {package.name}, {what}", f"{size / 1000:,.0f} KB")
        record_property(
            f"figure: answers of {package.name}, {what}, under qemu", f"by {receipt.largest_difference:.1e} at most"
        )


@pytest.mark.parametrize("platform", MACHINES)
def test_the_self_test_says_what_it_took_there(platform, device, text, built, record_property):
    made = device(platform)
    folder, way = built(made, text), made._way()
    began = time.perf_counter()
    said = json.loads(run(*way.command, folder / "selftest.py").splitlines()[-1])
    cold = time.perf_counter() - began
    assert (said["rows"], said["mismatches"], said["machine"]) == (len(text.golden), 0, MACHINES[platform])
    assert said["digest"] == text.digest
    record_property(f"figure: self-test of a text model on {platform} under qemu, from its start", f"{cold:.2f} s")
    record_property(
        f"figure: one row of it there, among {said['rows']}", f"{said['seconds'] / said['rows'] * 1e3:.2f} ms"
    )
    record_property("figure: memory of it there, with that of qemu", f"{said['memory'] / 1e6:.0f} MB")


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """Keep what is downloaded for all tests of this machine, and the lock in a folder of this one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path(tempfile.gettempdir(), "mlopskit-test-cache")))
    monkeypatch.chdir(tmp_path)


def test_onnx_runtime_answers_on_aarch64(wheels, device, text, tmp_path, record_property):
    made = device("linux/aarch64", form="onnx")
    with pytest.raises(DeployError) as caught:
        deployed(text, made, tmp_path)
    assert "fetch" in caught.value.remedy
    mk.fetch(text, made)
    receipt = deployed(text, made, tmp_path).receipt
    assert receipt.passed
    assert receipt.place == "emulated"
    assert receipt.runtime["machine"] == "aarch64"
    assert receipt.runtime["engine"].startswith("onnxruntime ")
    (bundle,) = (tmp_path / "place" / "film" / "device" / "bundles").iterdir()
    size = sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file())
    said = json.loads(run(*made._way().command, bundle / "selftest.py").splitlines()[-1])
    assert (said["mismatches"], said["machine"], said["digest"]) == (0, "aarch64", text.digest)
    record_property("figure: bundle of the model film, linux/aarch64, ONNX Runtime", f"{size / 1e6:,.0f} MB")
    record_property("figure: memory of its self-test there, with that of qemu", f"{said['memory'] / 1e6:,.0f} MB")
    record_property("figure: loading it there", f"{said['load_seconds']:.1f} s")
    again = converted((text.folder / "model.onnx").read_bytes())
    assert again == (bundle / "model.ort").read_bytes()
    assert answers_of(again) == answers_of((text.folder / "model.onnx").read_bytes())


def answers_of(model):
    """Return what ONNX Runtime answers here to two rows."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    given = {"comment|lower": np.array([["good film"], ["très bien"]], dtype=object), "stars": np.array([[1.0], [2.0]])}
    return [part.tolist() for part in session.run(None, given)]


def test_what_does_not_fit_is_refused_there(device, text, built):
    made = device("linux/aarch64")
    folder = built(made, text)
    for rows in ([], [{"comment": "x", "stars": 1.0}, {"comment": 1, "stars": 1}]):
        with pytest.raises(DeployError, match="The bundle answered: "):
            made.ask(folder, rows)
    long = "good film " * 10_000
    assert len(made.ask(folder, [{"comment": long, "stars": 1.0}]).rows) == 1


def test_the_snippet_in_c_compiles_and_answers(device, text, built, needs):
    needs("gcc")
    folder = built(device(HERE, python="none"), text)
    options = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2", "-I", "c"]
    run("gcc", *options, "-o", "example", "use/example.c", "c/model.c", "-lm", cwd=folder)
    said = run(folder / "example")
    assert said.startswith("prediction: yes\n")
    asked = run(folder / "predict", input='{"rows": [{"comment": "a text", "stars": 1}]}')
    assert f"{json.loads(asked)['rows'][0]['probability.yes']:.17g}" in said
    for name in ("Example.kt", "Example.swift"):
        assert "$" not in (folder / "use" / name).read_text().replace("${row}", "")


def test_systemd_takes_the_unit(device, text, built, needs):
    needs("systemd-analyze")
    folder = built(device("linux/aarch64"), text)
    done = subprocess.run(
        ["systemd-analyze", "verify", folder / "mlopskit-film.service"], capture_output=True, check=False, text=True
    )
    assert "mlopskit-film.service" not in done.stderr


@pytest.fixture
def server(tmp_path, needs, monkeypatch):
    """Start a server of ssh on this machine, and let `ssh` know it as the host `device`."""
    needs("sshd", "ssh-keygen", "ssh")
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    path = f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin"
    (tmp_path / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/user.pub\n"
        f"StrictModes no\nPasswordAuthentication no\nUsePAM no\nPidFile none\nSetEnv PATH={path}\n"
    )
    (tmp_path / "ssh_config").write_text(
        f"Host device\n HostName 127.0.0.1\n Port {port}\n IdentityFile {tmp_path}/user\n User {getpass.getuser()}\n"
        f" StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n LogLevel ERROR\n"
    )
    ssh = shutil.which("ssh")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ssh").write_text(f'#!/bin/sh\nexec {ssh} -F {tmp_path}/ssh_config "$@"\n')
    (tmp_path / "bin" / "ssh").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(parents=True, exist_ok=True)
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    started = subprocess.Popen([sshd, "-D", "-e", "-f", tmp_path / "sshd_config"], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while time.monotonic() < end and started.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield started
    started.terminate()
    started.wait()


@pytest.mark.parametrize("python", [PYTHON, pytest.param("none", marks=pytest.mark.slow)])
def test_a_device_is_asked_over_ssh(python, device, text, server, tmp_path, needs):
    if python == "none":
        needs("gcc")
    receipt = deployed(text, device(HERE, python=python, ssh="device"), tmp_path).receipt
    assert receipt.passed
    assert receipt.place == "target"


def test_a_device_that_is_away_is_told(device, text, server, tmp_path):
    server.terminate()
    server.wait()
    with pytest.raises(DeployError, match="device cannot be reached: "):
        deployed(text, device(HERE, python=PYTHON, ssh="device"), tmp_path)
