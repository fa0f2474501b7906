import pytest

import mlopskit as mk
from mlopskit.errors import LimitError, MlopskitError, PackageError
from mlopskit.runtime import open_package


@pytest.fixture
def package(made):
    registry, digest, _ = made
    return open_package(registry / "mood" / "packages" / digest.removeprefix("sha256:"))


def test_a_package_that_answers_in_time_passes(package):
    mk.Trial(seconds=60).run(package, trust_code=())


def test_one_that_takes_too_long_does_not(package):
    with pytest.raises(LimitError, match="within"):
        mk.Trial(seconds=0.001).run(package, trust_code=())


def test_one_that_needs_too_much_memory_does_not(package):
    with pytest.raises(MlopskitError):
        mk.Trial(memory=1 << 20).run(package, trust_code=())


def test_one_whose_golden_rows_are_answered_otherwise_does_not(package):
    lines = package.files["golden.jsonl"].replace(b'"Positive"', b'"Negative"')
    about = {**package.manifest["golden"], "tolerance": 1e-9}
    wrong = package._replace(
        manifest={**package.manifest, "golden": about}, files={**package.files, "golden.jsonl": lines}
    )
    with pytest.raises(PackageError):
        mk.Trial().run(wrong, trust_code=())


def test_a_watched_model_is_tried_first_and_kept_out(registry, made):
    alias = registry.alias("mood", "production")
    first = alias.append(made[1], after=None, why="")
    place = f"{registry.storage.uri}/mood"
    with mk.watch(place, alias="production", every=60, trial=mk.Trial()) as model:
        assert model.state.digest == made[1]
        assert model.state.failure is None
    with mk.watch(place, alias="production", every=60, trial=mk.Trial(seconds=0.001)) as model:
        assert isinstance(model.state.failure, LimitError)
        assert model.state.digest is None
    assert first.digest == made[1]
