"""Write a model as MLflow serves it, with its signature.

python flow.py FOLDER
"""

import json
import sys
from pathlib import Path

import joblib
import mlflow.sklearn
import pandas as pd

folder = Path(sys.argv[1])
model = joblib.load(folder / "model.joblib")
rows = json.loads(folder.joinpath("rows.json").read_text("utf-8"))
texts = "Comment" in rows[0]
given = [row["Comment"] for row in rows] if texts else pd.DataFrame(rows)
signature = mlflow.models.infer_signature(None if texts else given, model.predict(given))
mlflow.sklearn.save_model(
    model, folder / "mlflow", signature=signature, serialization_format="cloudpickle", pip_requirements=[]
)
