import pytest

from mlopskit import ModelPackage
from mlopskit.errors import IntegrityError
from mlopskit.runtime import open_package


def test_a_package_is_written_whole_or_lean(package, tmp_path):
    package.write(tmp_path / "whole")
    assert ModelPackage.open(tmp_path / "whole", digest=package.digest).models == package.models
    package.write(tmp_path / "lean", format="portable")
    whole, lean = ({path.name for path in (tmp_path / kind).iterdir()} for kind in ("whole", "lean"))
    assert whole - lean == {file for model in package.models for file in model.files} - {"model.json"}
    assert open_package(tmp_path / "lean", digest=package.digest, format="portable").digest == package.digest
    with pytest.raises(IntegrityError, match=r"'model\.\w+' is missing"):
        ModelPackage.open(tmp_path / "lean", digest=package.digest)
