"""Writes one exported model's folder: the model without debugging leftovers, and its proof."""

import json
import pathlib
import sys

import onnx

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "examples"))
import proof  # noqa: E402

TOLERANCE = {"absolute": 1e-4, "relative": 1e-3}


def folder(name):
    path = HERE / name
    path.mkdir(exist_ok=True)
    return path


def finish(path, framework, inputs, outputs):
    """Proves a batch and its first row alone."""
    proof.describe(path / "model.onnx")
    graph = onnx.load(path / "model.onnx").graph
    x, y = graph.input[0].name, graph.output[0].name
    cases = [
        proof.case(name, [proof.tensor(x, inputs[:rows])], [proof.tensor(y, outputs[:rows], TOLERANCE)])
        for name, rows in (("a batch", len(inputs)), ("one row", 1))
    ]
    document = {"format": proof.FORMAT, "framework": framework, "cases": cases}
    (path / "proof.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
