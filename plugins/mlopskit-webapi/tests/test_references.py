"""What a REFERENCE of `mlopskit serve` means, in a project and without one."""

import pytest
from mlopskit_webapi.references import Following, sources_of

import mlopskit as mk
from mlopskit.errors import UsageError
from mlopskit.runtime import Watched
from mlopskit.testing.packages import NAME, shared_packages

PROJECT = f"""
name = "{NAME}"
[data]
uri = "data.csv"
target = "y"
[train]
estimator = "model:pipeline"
[endpoint.staging]
target = "fileshare"
to = "shares/staging"
alias = "blue"
"""


@pytest.fixture
def package(tmp_path, tmp_path_factory, monkeypatch):
    """A package in the registry of a project, in whose folder we are."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlopskit.toml").write_text(PROJECT)
    package = mk.ModelPackage.open(shared_packages(tmp_path_factory) / "one", digest="unpinned")
    return mk.Registry.at().add(package)


def source(reference):
    [found] = sources_of([reference], "mlopskit.toml", Following(every=60, folder=None, trial=None, trust_code=()))
    found.close()
    return found


def test_a_digest_stays(package):
    found = source(package.digest[:19])
    assert found.name == NAME
    assert found.model.digest == package.digest
    assert found.about["reference"] == package.digest[:19]


def test_an_alias_of_the_registry_is_followed(package):
    mk.Registry.at().alias(NAME, "candidate").append(package.digest, after=None, why="")
    found = source("candidate")
    assert isinstance(found.model, Watched)
    assert found.model.state.digest == package.digest


def test_an_endpoint_that_publishes_is_followed_where_it_publishes(package):
    share = mk.Registry.at("shares/staging")  # its layout is that of a share
    share.add(package)
    share.alias(NAME, "blue").append(package.digest, after=None, why="")
    found = source("staging")
    assert isinstance(found.model, Watched)
    assert (found.model.state.digest, found.about["alias"]) == (package.digest, "blue")


@pytest.mark.parametrize("reference", ["nothing", "shares/staging"])
def test_what_is_none_is_said(package, reference):
    with pytest.raises(UsageError):
        source(reference)
