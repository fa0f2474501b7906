"""A service by hand: FastAPI, pydantic and scikit-learn, as most people write one.

python by_hand.py FOLDER PORT
"""

import json
import sys
from pathlib import Path

import joblib
import pandas as pd
import uvicorn
from fastapi import FastAPI
from pydantic import create_model

folder, port = Path(sys.argv[1]), int(sys.argv[2])
model = joblib.load(folder / "model.joblib")
first = json.loads(folder.joinpath("rows.json").read_text("utf-8"))[0]
Row = create_model("Row", **{name: (type(cell), ...) for name, cell in first.items()})
Request = create_model("Request", rows=(list[Row], ...))
labels = model.classes_.tolist()
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> dict[str, list[dict[str, object]]]:
    """Return a label and its probabilities for each row."""
    rows = [row.model_dump() for row in request.rows]
    given = [row["Comment"] for row in rows] if "Comment" in first else pd.DataFrame(rows)
    found = model.predict_proba(given).tolist()
    return {"rows": [{"prediction": labels[one.index(max(one))], "probability": one} for one in found]}


uvicorn.run(app, port=port, loop="uvloop", http="httptools", log_level="error", access_log=False)
