"""The kit for testing: models by assertions, plugins by conformance suites, reference deployers and faults.

    from mlopskit.testing import BundleDeployerConformance

    class TestParrot(BundleDeployerConformance):
        @pytest.fixture
        def deployer(self, tmp_path):
            return Parrot(to=str(tmp_path))

Each suite is a class to inherit, with one fixture to write; docs/reference/conformance.md lists its checks. pytest is
imported when a suite is first used, and nothing before.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlopskit.testing.assertions import assert_directional, assert_invariant, assert_metric, assert_predicts
    from mlopskit.testing.bundledeployers import BundleDeployerConformance
    from mlopskit.testing.deployers import DeployerConformance
    from mlopskit.testing.faultproxy import FaultProxy, NetworkFault
    from mlopskit.testing.faults import Fault, FaultyDisk
    from mlopskit.testing.folderdeployer import FolderDeployer
    from mlopskit.testing.formats import FormatConformance, Sample
    from mlopskit.testing.memory import MemoryBucket, MemoryStorage
    from mlopskit.testing.outcomes import OutcomeConformance
    from mlopskit.testing.processdeployer import ProcessDeployer
    from mlopskit.testing.storages import StorageConformance
    from mlopskit.testing.trainers import TrainerConformance

_HOME = {
    "BundleDeployerConformance": "bundledeployers",
    "DeployerConformance": "deployers",
    "Fault": "faults",
    "FaultProxy": "faultproxy",
    "FaultyDisk": "faults",
    "FolderDeployer": "folderdeployer",
    "FormatConformance": "formats",
    "MemoryBucket": "memory",
    "MemoryStorage": "memory",
    "NetworkFault": "faultproxy",
    "OutcomeConformance": "outcomes",
    "ProcessDeployer": "processdeployer",
    "Sample": "formats",
    "StorageConformance": "storages",
    "TrainerConformance": "trainers",
    "assert_directional": "assertions",
    "assert_invariant": "assertions",
    "assert_metric": "assertions",
    "assert_predicts": "assertions",
}

__all__ = [
    "BundleDeployerConformance",
    "DeployerConformance",
    "Fault",
    "FaultProxy",
    "FaultyDisk",
    "FolderDeployer",
    "FormatConformance",
    "MemoryBucket",
    "MemoryStorage",
    "NetworkFault",
    "OutcomeConformance",
    "ProcessDeployer",
    "Sample",
    "StorageConformance",
    "TrainerConformance",
    "assert_directional",
    "assert_invariant",
    "assert_metric",
    "assert_predicts",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mlopskit.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"mlopskit.testing.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__]
