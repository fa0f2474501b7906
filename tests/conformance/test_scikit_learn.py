"""The scikit-learn trainer keeps the contract of trainers."""

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from mlopskit.builtin.scikit_learn import ScikitLearnTrainer
from mlopskit.testing import TrainerConformance


class TestLogisticRegression(TrainerConformance):
    @pytest.fixture
    def trainer(self):
        return ScikitLearnTrainer(estimator=LogisticRegression())

    @pytest.fixture
    def failing(self):
        return ScikitLearnTrainer(estimator=LogisticRegression(), parameters={"C": -1.0})


class TestForestOfChance(TrainerConformance):
    @pytest.fixture
    def trainer(self):
        return ScikitLearnTrainer(estimator=RandomForestClassifier, parameters={"n_estimators": 3})

    @pytest.fixture
    def failing(self):
        return ScikitLearnTrainer(estimator=RandomForestClassifier, parameters={"max_depth": -1})
