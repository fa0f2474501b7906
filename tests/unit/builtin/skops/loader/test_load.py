"""Whatever is given under the name of a model: it is refused, and nothing happens."""

import io
import pickle
import zipfile

import joblib
import numpy as np
import pytest

from mlopskit.builtin.skops import loader
from mlopskit.builtin.skops.loader import names
from mlopskit.builtin.skops.loader.container import deflate, pack


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


NAMES = ["model.skops", "model.pkl", "model.pickle", "model.joblib", "model.sav", "model.p", "model.dat", "model"]


@pytest.mark.parametrize("name", NAMES)
def test_a_pickle_is_not_run_whatever_its_name(name, tmp_path, model, spec):
    path = tmp_path / "canary"
    data = pickle.dumps(Canary(path))
    with pytest.raises(ValueError, match="skops"):
        loader.load({name: data}, spec(model))
    assert not path.exists()
    pickle.loads(data).close()
    assert path.exists()  # the bird sings where there is a pickle loader


def other_formats(tmp_path):
    canary = Canary(tmp_path / "canary")
    stream = io.BytesIO()
    joblib.dump(canary, stream)
    yield stream.getvalue()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("schema.json", pickle.dumps(canary))
    yield stream.getvalue()
    stream = io.BytesIO()
    np.save(stream, np.array([canary], dtype=object), allow_pickle=True)
    yield stream.getvalue()
    yield b""
    yield b"{}"
    yield b"\x89HDF\r\n\x1a\n" + bytes(100)
    yield b"PK\3\4" + bytes(100)
    yield b"PK\5\6" + bytes(18)
    yield pack([])
    yield pack([deflate("0.npy", b"")])


def test_the_bytes_of_other_formats_are_refused(tmp_path, refuses):
    for data in other_formats(tmp_path):
        refuses(data, "skops|schema|archive")
    assert not (tmp_path / "canary").exists()


def test_other_files_are_refused(archive, model, spec):
    for files in ({}, {"model.skops": archive, "more": b""}):
        with pytest.raises(ValueError, match="one file"):
            loader.load(files, spec(model))


def test_an_engine_that_is_missing_stays_an_import_error(archive, model, spec, monkeypatch, load):
    import skops.io

    def missing(*_args, **_options):
        raise ModuleNotFoundError(name="skops")

    monkeypatch.setattr(skops.io, "loads", missing)
    with pytest.raises(ModuleNotFoundError):
        load(archive, spec(model))


def test_there_is_no_way_to_trust_more(archive, model, spec, load):
    described = spec(model) | {"trusted": ["evil.Evil"], "trust": True}
    load(archive, described)
    with pytest.raises(TypeError):
        loader.load({"model.skops": archive}, described, trusted=["evil.Evil"])
    listed = names.ESTIMATORS | names.PARTS | names.FUNCTIONS | names.LOSSES
    assert all(name.startswith(("sklearn.", "numpy.")) for name in listed)
    assert frozenset().union(*names.TYPES.values()) >= names.TRUSTED
