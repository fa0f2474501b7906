"""Arrays that are not plain, and sparse matrices that are none."""

import io
import pickle

import numpy as np
import pytest
import scipy.sparse
from sklearn.linear_model import LogisticRegression

from mlopskit.builtin.skops.archive import canonical
from mlopskit.builtin.skops.loader.arrays import array, check_sparse
from mlopskit.builtin.skops.loader.container import deflate, pack


def npy(descr, shape, body, *, version=1):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    return b"\x93NUMPY" + bytes([version, 0]) + header.getvalue()[8:] + body


ARRAYS = {
    "objects": npy("|O", (1,), pickle.dumps([1])),
    "objects in a record": npy([("a", "|O")], (1,), bytes(8)),
    "dates": npy("<M8[s]", (1,), bytes(8)),
    "raw memory": npy("|V8", (1,), bytes(8)),
    "another version": npy("<f8", (1,), bytes(8), version=3),
    "too few bytes": npy("<f8", (2,), bytes(8)),
    "too many bytes": npy("<f8", (1,), bytes(16)),
    "a negative size": npy("<f8", (-1, -1), bytes(8)),
    "a huge empty size": npy("<f8", (0, 1 << 40), b""),
    "code in the header": b"\x93NUMPY\1\0" + (20).to_bytes(2, "little") + b"__import__('evil')\n\n",
    "booleans that are none": npy("|b1", (1,), b"\xff"),
    "text that is none": npy("<U1", (1,), b"\xff\xff\xff\xff"),
    "nothing": b"",
    "a cut header": npy("<f8", (1,), b"")[:40],
}


@pytest.mark.parametrize("what", ARRAYS)
def test_arrays_that_are_not_plain_are_refused(what, archive, forge, refuses):
    forged = forge(archive)
    node = forged.at("steps", 0, 1, "mean_")
    forged.members[node["file"]] = ARRAYS[what]
    refuses(forged.data())


def test_plain_arrays_are_read():
    for values in (np.arange(6).reshape(2, 3), np.asfortranarray(np.eye(3)), np.array(["a", "bc"]), np.array(3.0)):
        stream = io.BytesIO()
        np.save(stream, values)
        assert np.array_equal(array(stream.getvalue(), "it"), values)


def sparse_parts(**changed):
    parts = {
        "indices": np.array([0, 1], dtype="int32"),
        "indptr": np.array([0, 1, 2], dtype="int32"),
        "format": np.array(b"csr"),
        "shape": np.array([2, 2]),
        "data": np.array([1.0, 2.0]),
    }
    return {name: part for name, part in (parts | changed).items() if part is not None}


def packed(parts):
    files = []
    for name, part in parts.items():
        stream = io.BytesIO()
        np.save(stream, part)
        files.append(deflate(f"{name}.npy", stream.getvalue()))
    return pack(files)


@pytest.mark.parametrize(
    "changed",
    [
        {"indices": None},
        {"more": np.zeros(1)},
        {"format": np.array(b"coo")},
        {"format": np.array([b"csr"])},
        {"indices": np.array([0.0, 1.0])},
        {"indptr": np.zeros((1, 3), dtype=int)},
        {"shape": np.array([2])},
        {"data": np.array(["a", "b"])},
    ],
)
def test_sparse_matrices_that_are_none_are_refused(changed):
    check_sparse(packed(sparse_parts()), "it")
    with pytest.raises(ValueError, match=r"^it "):
        check_sparse(packed(sparse_parts(**changed)), "it")


def test_a_sparse_matrix_with_an_index_outside_is_refused(data, forge, refuses):
    features, labels = data
    model = LogisticRegression().fit(scipy.sparse.csr_matrix(features), labels).sparsify()
    forged = forge(canonical(model))
    node = forged.at("coef_")
    forged.members[node["file"]] = packed(
        sparse_parts(
            indices=np.array([1_000_000], "int32"),
            indptr=np.array([0, 1], "int32"),
            shape=np.array([1, 4]),
            data=np.ones(1),
        )
    )
    refuses(forged.data(), r"model\.coef_: ")
