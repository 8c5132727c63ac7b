"""What many a team runs today: the benchmark's forest behind Flask, with the same requests as Greenlight.

    FOREST=forest.joblib gunicorn --workers 1 flask_forest:app
"""

import os

import joblib
import numpy as np
from flask import Flask, jsonify, request
from sklearn.datasets import load_breast_cancer

app = Flask(__name__)
model = joblib.load(os.environ["FOREST"])
data = load_breast_cancer()
columns, classes = list(data.feature_names), [str(name) for name in data.target_names]


@app.post("/predict")
def predict():
    rows = request.get_json()["rows"]
    features = np.array([[row[name] for name in columns] for row in rows], np.float32)
    probabilities = model.predict_proba(features)
    return jsonify(
        model="forest",
        predictions=[
            {"label": classes[p.argmax()], "probabilities": dict(zip(classes, p.tolist()))} for p in probabilities
        ],
    )
