"""The pytest plugin: fixtures of a project's package, model and data. Nothing is imported until one is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mlopskit.data import Dataset
    from mlopskit.loading import LoadedModel
    from mlopskit.modelpackage import ModelPackage
    from mlopskit.project import Project

_PRODUCTION = "production"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that say which project and which package."""
    group = parser.getgroup("mlopskit", "tests of a model")
    group.addoption(
        "--mlopskit-project", metavar="FILE", help="The project's file; by default the mlopskit.toml here or above."
    )
    group.addoption("--mlopskit-package", metavar="REF", help="The package to test; by default that of the last run.")


@pytest.fixture(scope="session", name="mlopskit_project")
def _project(pytestconfig: pytest.Config) -> Project:
    """Return the project."""
    from mlopskit.config import FILE
    from mlopskit.project import Project

    given, here = pytestconfig.getoption("--mlopskit-project"), pytestconfig.invocation_params.dir
    above = (folder / FILE for folder in (here, *here.parents) if (folder / FILE).is_file())
    file = here / given if given else next(above, pytestconfig.rootpath / FILE)
    with _told():
        return Project(file)


@pytest.fixture(scope="session", name="package")
def _package(pytestconfig: pytest.Config, mlopskit_project: Project) -> ModelPackage:
    """Return the package to test."""
    with _told():
        return mlopskit_project.package(pytestconfig.getoption("--mlopskit-package"))


@pytest.fixture(scope="session", name="model")
def _model(package: ModelPackage, mlopskit_project: Project) -> LoadedModel:
    """Return the package's model, in this process."""
    from mlopskit.loading import load

    with _told():
        return load(package.folder, digest=package.digest, trust_code=mlopskit_project.config.trust_code)


@pytest.fixture(scope="session", name="test_data")
def _test_data(mlopskit_project: Project) -> Dataset:
    """Return the rows that models are tested on."""
    with _told():
        return mlopskit_project.test_data()


@pytest.fixture(scope="session", name="production")
def _production(mlopskit_project: Project) -> ModelPackage:
    """Return the package that is live as `production`; a test that asks for it is skipped where nothing is."""
    with _told():
        digest = mlopskit_project.registry.live(mlopskit_project.name, _PRODUCTION)
        if digest is not None:
            return mlopskit_project.registry.package(mlopskit_project.name, digest)
    pytest.skip(f"nothing is live under {_PRODUCTION!r} yet: there is nothing to compare with")


@contextmanager
def _told() -> Iterator[None]:
    """Show an error of mlopskit with its remedy, and no traceback of what is not the user's."""
    from mlopskit.errors import MlopskitError

    try:
        yield
    except MlopskitError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
