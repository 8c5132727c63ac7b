"""Trains the benchmark's models on data that scikit-learn ships.

    python train.py FOLDER [NAME…]

writes for each NAME, or all of forest (breast cancer: 30 numbers, 2 classes), logistic and mlp (digits: 64
numbers, 10 classes) a model `<name>.onnx` and `<name>.json`: one case of a proof (see ../proof.py)
with 64 held-out rows, so that what is fast can be shown to be right too. The scikit-learn models
are also written as `<name>.joblib`, for servers that run scikit-learn itself.
"""

import logging
import pathlib
import sys

import joblib
import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import proof  # noqa: E402

ROWS = 64
OPSET = {"": 21, "ai.onnx.ml": 3}


def split(data):
    """A data set's rows as float32, as in the ONNX model, and its classes: training, then held out."""
    rows = data.data.astype(np.float32)
    return train_test_split(rows, data.target, test_size=0.25, random_state=0, stratify=data.target)


def forest(rows, classes):
    """100 trees of at most depth 10: what a tabular model usually is."""
    return RandomForestClassifier(100, max_depth=10, random_state=0).fit(rows, classes)


def logistic(rows, classes):
    """A scaler and one matrix product: the smallest model worth serving."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(rows, classes)


def mlp(rows, classes):
    """A 64-128-10 network with ReLU and softmax. Only the networks need PyTorch, which is gigabytes."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    logits = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    rows, classes = torch.from_numpy(rows), torch.from_numpy(classes)
    optimizer = torch.optim.Adam(logits.parameters(), lr=2e-3)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits(rows), classes).backward()
        optimizer.step()
    return nn.Sequential(logits, nn.Softmax(dim=1)).eval()


def export_sklearn(model, path):
    """Input `X` [N, features], outputs `label` [N] and `probabilities` [N, classes].

    The scaler divides, as scikit-learn does; the default multiplies by the reciprocal.
    """
    onnx_model = to_onnx(
        model,
        np.zeros((1, model.n_features_in_), np.float32),
        options={id(model): {"zipmap": False}, StandardScaler: {"div": "div"}},
        target_opset=OPSET,
    )
    path.write_bytes(onnx_model.SerializeToString())
    joblib.dump(model, path.with_suffix(".joblib"))


def export_torch(model, path):
    """Input `X` [N, 64], output `probabilities` [N, 10]."""
    import torch

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is not installed
    torch.onnx.export(
        model,
        (torch.zeros(2, 64),),
        path,
        dynamo=True,
        opset_version=OPSET[""],
        input_names=["X"],
        output_names=["probabilities"],
        dynamic_shapes=({0: torch.export.Dim("N")},),
        external_data=False,
        verbose=False,
    )


def answers(model, rows):
    """What the framework itself gives: its classes (None for PyTorch) and its probabilities."""
    if hasattr(model, "predict_proba"):
        return model.predict(rows), model.predict_proba(rows).astype(np.float32)
    import torch

    with torch.inference_mode():
        return None, model(torch.from_numpy(rows)).numpy()


def case(name, model, rows):
    label, probabilities = answers(model, rows)
    outputs = [proof.tensor("probabilities", probabilities, proof.PROBABILITY_TOLERANCE)]
    if label is not None:
        outputs.insert(0, proof.tensor("label", label))
    return proof.case(name, [proof.tensor("X", rows)], outputs)


def build(folder, train, export, data):
    """Trains, exports and checks one model; prints a line about it."""
    name, path = train.__name__, folder / f"{train.__name__}.onnx"
    train_rows, test_rows, train_classes, test_classes = split(data)
    model = train(train_rows, train_classes)
    export(model, path)
    proof.describe(
        path,
        task="classification",
        classes=[str(c) for c in data.target_names],
        features=[str(f) for f in data.feature_names],
    )
    proof.save(folder / f"{name}.json", case(name, model, test_rows[:ROWS]))
    accuracy = (answers(model, test_rows)[1].argmax(axis=1) == test_classes).mean()
    deviation = proof.check(path, [case("all held-out rows", model, test_rows)])
    print(
        f"{name}: accuracy {accuracy:.3f} on {len(test_rows)} held-out rows,"
        f" {path.stat().st_size / 1024:.0f} KiB,"
        f" largest deviation of ONNX Runtime {deviation:.2g}"
    )


MODELS = {
    "forest": (forest, export_sklearn, load_breast_cancer),
    "logistic": (logistic, export_sklearn, load_digits),
    "mlp": (mlp, export_torch, load_digits),
}


def main(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or MODELS:
        train, export, load = MODELS[name]
        build(folder, train, export, load())


if __name__ == "__main__":
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(MODELS):
        sys.exit(f"usage: train.py FOLDER [NAME…], where a NAME is one of {', '.join(MODELS)}")
    main(pathlib.Path(sys.argv[1]), *sys.argv[2:])
