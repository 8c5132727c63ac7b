"""A page that tells penguins apart. It asks the model beside it, through the gateway."""

import json
import os
import urllib.error
import urllib.request

from flask import Flask, render_template, request

MODEL_URL = os.environ["MODEL_URL"]
NUMBERS = {"bill_length_mm": 46.5, "bill_depth_mm": 13.5, "flipper_length_mm": 210.0, "body_mass_g": 4550.0}
CHOICES = {"island": ["Biscoe", "Dream", "Torgersen"], "sex": ["female", "male"]}

app = Flask(__name__)


def predict(row):
    """Asks the model for one row; gives its prediction, or raises OSError."""
    call = urllib.request.Request(
        MODEL_URL, json.dumps({"rows": [row]}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(call, timeout=5) as answer:
        return json.load(answer)["predictions"][0]


@app.get("/health")
def health():
    return "ok\n"


@app.get("/")
def page():
    row = {name: request.args.get(name, value, float) for name, value in NUMBERS.items()}
    row |= {name: request.args.get(name, values[0]) for name, values in CHOICES.items()}
    prediction, problem = None, None
    if request.args:
        try:
            prediction = predict(row)
        except urllib.error.HTTPError as e:
            problem = f"The model refused: {e.read().decode(errors='replace')}"
        except OSError as e:
            problem = f"The model did not answer: {e}"
    return render_template(
        "page.html", row=row, numbers=NUMBERS, choices=CHOICES, prediction=prediction, problem=problem
    ), 502 if problem else 200
