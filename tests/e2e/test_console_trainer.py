"""The page that goes from a console trainer to a function, run as it stands, against an emulator of Azure's storage."""

from __future__ import annotations

import datetime as dt
import importlib.util
import os
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/from-console-trainer-to-function.md"
CONTAINERS = ("reviews", "registry", "validation", "production")
pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]


def _module(path):
    name = f"of_{path.parts[-3].replace('-', '_')}_{path.parent.name}"
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


blob, docs = _module(Path("plugins/mlopskit-blob/tests/conftest.py")), _module(Path("tests/docs/conftest.py"))
azurite_installed, azurite = blob.azurite_installed, blob.azurite


@pytest.fixture
def storage(azurite, sentences, monkeypatch):
    """Make the page's containers, each with a signature in the environment, and the data in one of them."""
    from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

    for name in [name for name in os.environ if name.startswith(("AZURE_", "MODEL_"))]:
        monkeypatch.delenv(name)
    endpoint = f"http://127.0.0.1:{azurite.port}/{azurite.account}"
    settings = {"AZURE_STORAGE_BLOB_ENDPOINT_ACMEMODELS": endpoint, "AZURE_STORAGE_BLOB_ENDPOINT": endpoint}
    rights = ContainerSasPermissions(read=True, write=True, create=True, list=True, delete=True)
    with BlobServiceClient.from_connection_string(azurite.connection(), api_version="2025-11-05") as service:
        for name in CONTAINERS:
            service.create_container(name)
            settings[f"AZURE_STORAGE_SAS_TOKEN_ACMEMODELS_{name.upper()}"] = generate_container_sas(
                azurite.account, name, account_key=azurite.key, version="2025-11-05", permission=rights,
                expiry=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1),
            )  # fmt: skip
        service.get_blob_client("reviews", "products.tsv").upload_blob((sentences / "products.tsv").read_bytes())
        settings["MODEL_QUERY"] = settings["AZURE_STORAGE_SAS_TOKEN_ACMEMODELS_PRODUCTION"]
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield settings
        for name in CONTAINERS:
            service.delete_container(name)


def test_from_a_console_trainer_to_a_function(storage, needs, tmp_path, monkeypatch, record_property):
    needs("python3.11")
    folder = tmp_path / "sentiment"
    folder.mkdir()
    pip = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "XDG_CONFIG"))}
    config = Path("~/.config/pip/pip.conf").expanduser()
    given = {"PIP_CONFIG_FILE": str(config)} if config.exists() else {}
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_STATE_HOME": str(tmp_path / "state")}
    for name, value in cache.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(folder))
    began = time.monotonic()
    docs.Run(PAGE, folder, {**storage, **cache, **given, **pip}).all()
    record_property("figure: seconds of the way from a console trainer to a function", round(time.monotonic() - began))
    secrets = [value.rsplit("sig=", 1)[1] for name, value in storage.items() if "SAS" in name]
    for file in folder.rglob("*"):
        assert not file.is_file() or not any(secret.encode() in file.read_bytes() for secret in secrets), file
