"""Loaded objects that would replace what their class has, or start workers."""

import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import PairwiseKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.neighbors import KNeighborsRegressor

from mlopskit.builtin.skops.archive import canonical
from mlopskit.builtin.skops.loader.estimator import load_estimator


def test_what_the_class_has_cannot_be_replaced(archive, forge, refuses, make):
    forged = forge(archive)
    forged.set("predict", make.node("FunctionNode", "numpy.exp"))
    refuses(forged.data(), "would replace what the class itself has")
    forged = forge(archive)
    forged.set("_validate_params", make.json(1), "steps", 1, 1)
    refuses(forged.data(), "model.steps.1..1.: LogisticRegression._validate_params")


WORKERS = {
    "kernel_params": (KernelRidge(kernel="rbf", kernel_params={"gamma": 1.0}), ()),
    "metric_params": (KNeighborsRegressor(metric_params={}), ()),
    "pairwise_kernels_kwargs": (GaussianProcessRegressor(PairwiseKernel(pairwise_kernels_kwargs={})), ("kernel_",)),
}


@pytest.mark.parametrize("name", WORKERS)
def test_arguments_that_are_handed_on_start_no_workers(name, data, forge, make):
    model, path = WORKERS[name]
    stored = canonical(model.fit(*data))
    assert load_estimator(stored).predict(data[0]) == pytest.approx(model.predict(data[0]))
    for arguments in (make.dict_of({"n_jobs": make.json(5000)}, [make.kind("str")]), make.json("n_jobs")):
        forged = forge(stored)
        forged.set(name, arguments, *path)
        with pytest.raises(ValueError, match=f"{name} would start workers"):
            load_estimator(forged.data())
