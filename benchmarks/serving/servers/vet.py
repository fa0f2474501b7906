"""vetiver with scikit-learn.

python vet.py FOLDER PORT
"""

import json
import sys
from pathlib import Path

import joblib
import pandas as pd
from vetiver import VetiverAPI, VetiverModel
from vetiver.handlers.base import BaseHandler

folder, port = Path(sys.argv[1]), int(sys.argv[2])
model = joblib.load(folder / "model.joblib")
rows = pd.DataFrame(json.loads(folder.joinpath("rows.json").read_text("utf-8")))


class Texts(BaseHandler):
    """A model of texts: rows come as a frame, and it takes the column."""

    def handler_predict(self, input_data: pd.DataFrame, check_prototype: bool) -> list[str]:  # noqa: FBT001  # vetiver's
        """Return the labels."""
        del check_prototype
        return self.model.predict(input_data["Comment"]).tolist()


handled = Texts(model, rows) if "Comment" in rows else model
described = VetiverModel(handled, model_name="model", prototype_data=rows, versioned=False)
VetiverAPI(described, check_prototype=True).run(port=port, quiet_open=True, log_level="error", access_log=False)
