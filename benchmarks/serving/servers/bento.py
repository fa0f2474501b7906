"""BentoML with scikit-learn: `bentoml serve bento:Scorer`; the variable MODEL names the folder."""

import json
import os
from pathlib import Path

import bentoml
import joblib
import pandas as pd


@bentoml.service
class Scorer:
    """The model's answers."""

    def __init__(self) -> None:
        """Load the model."""
        folder = Path(os.environ["MODEL"])
        self.model = joblib.load(folder / "model.joblib")
        self.texts = "Comment" in json.loads(folder.joinpath("rows.json").read_text("utf-8"))[0]

    @bentoml.api
    def predict(self, rows: list[dict]) -> list[str]:
        """Return the labels."""
        given = [row["Comment"] for row in rows] if self.texts else pd.DataFrame(rows)
        return self.model.predict(given).tolist()
