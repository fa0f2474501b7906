"""LitServe with scikit-learn.

python lit.py FOLDER PORT
"""

import json
import sys
from pathlib import Path

import joblib
import litserve
import pandas as pd


class Api(litserve.LitAPI):
    """The model's answers."""

    def setup(self, device: str) -> None:
        """Load the model."""
        del device
        folder = Path(sys.argv[1])
        self.model = joblib.load(folder / "model.joblib")
        self.texts = "Comment" in json.loads(folder.joinpath("rows.json").read_text("utf-8"))[0]

    def decode_request(self, request: dict) -> object:
        """Return the rows as the model takes them."""
        return [row["Comment"] for row in request["rows"]] if self.texts else pd.DataFrame(request["rows"])

    def predict(self, x: object) -> list[str]:
        """Return the labels."""
        return self.model.predict(x).tolist()

    def encode_response(self, output: list[str]) -> dict[str, list[str]]:
        """Return the answer."""
        return {"labels": output}


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", devices=1, workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), log_level="error", generate_client_file=False)
