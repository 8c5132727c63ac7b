"""Proofs: what the training framework itself answered, kept beside the exported model.

A proof lets any engine that serves `model.onnx` show that it gives the answers of the framework
that trained it. The expected outputs therefore always come from that framework; ONNX Runtime is
only used by `check`, to show that the export is right before anything is committed.

Tensors follow the Open Inference Protocol: a name, a datatype, a shape, flat row-major data.
JSON has no NaN, so null stands for it; a text tensor is BYTES.
"""

import datetime
import hashlib
import json
import pathlib

import numpy as np
import onnx
import onnxruntime

FORMAT = "greenlight-proof/1"

# Probabilities are at most 1 and float32 carries 7 digits: 1e-5 leaves room for another order of
# summation and for no error that would change a decision.
PROBABILITY_TOLERANCE = {"absolute": 1e-5, "relative": 0.0}

_DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
    "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64",
    "float16": "FP16", "float32": "FP32", "float64": "FP64",
}
_DTYPES = {datatype: dtype for dtype, datatype in _DATATYPES.items()} | {"BYTES": "object"}


def tensor(name, values, tolerance=None):
    """One named tensor as JSON-ready data. Without a tolerance its values must be met exactly."""
    values = np.asarray(values)
    encoded = {
        "name": name,
        "datatype": _DATATYPES.get(values.dtype.name, "BYTES"),
        "shape": list(values.shape),
        "data": [_scalar(v) for v in values.ravel()],
    }
    if tolerance is not None:
        encoded["tolerance"] = tolerance
    return encoded


def case(name, inputs, outputs):
    """One named batch: both sides are lists of tensors."""
    return {"name": name, "inputs": inputs, "outputs": outputs}


def describe(model_path, **properties):
    """Writes `greenlight.<key>` metadata into a model and drops what exporters leave for debugging.

    Strings stand as they are, everything else as JSON. Exporters note source lines and local paths
    on each node; they help nobody who serves the model and make two equal exports differ.
    The batch axis, whatever an exporter called it, is named N.
    """
    model = onnx.load(model_path)
    for value in [*model.graph.input, *model.graph.output]:
        batch = value.type.tensor_type.shape.dim[0]
        if not batch.HasField("dim_value"):
            batch.dim_param = "N"
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer]:
        value.ClearField("metadata_props")
    del model.metadata_props[:]
    model.graph.ClearField("metadata_props")
    onnx.helper.set_model_props(
        model,
        {f"greenlight.{key}": v if isinstance(v, str) else json.dumps(v) for key, v in properties.items()},
    )
    onnx.checker.check_model(model)
    onnx.save(model, model_path)


def write(folder, framework, cases):
    """Writes `proof.json` for the `model.onnx` in the folder."""
    folder = pathlib.Path(folder)
    proof = {
        "format": FORMAT,
        "framework": framework,
        "created": datetime.date.today().isoformat(),
        "model_sha256": hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest(),
        "cases": cases,
    }
    save(folder / "proof.json", proof)


def save(path, value):
    """Writes JSON without spaces: these files are read by programs."""
    pathlib.Path(path).write_text(json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n")


def check(model_path, cases):
    """Runs the cases in ONNX Runtime; returns the largest deviation, or raises when one is too large.

    The cases take the way through JSON first, so that what is compared is what the file says.
    """
    session = onnxruntime.InferenceSession(str(model_path), providers=["CPUExecutionProvider"])
    largest = 0.0
    for c in json.loads(json.dumps(cases, allow_nan=False)):
        expected = c["outputs"]
        got = session.run([o["name"] for o in expected], {i["name"]: _array(i) for i in c["inputs"]})
        for want, have in zip(expected, got, strict=True):
            largest = max(largest, _compare(c["name"], want, have))
    return largest


def _compare(case_name, want, have):
    values = _array(want)
    where = f"{case_name}, output {want['name']}"
    if have.shape != values.shape:
        raise AssertionError(f"{where}: shape {have.shape}, expected {values.shape}")
    if "tolerance" not in want:
        if not np.array_equal(values, have):
            raise AssertionError(f"{where}: {(values != have).sum()} of {values.size} values differ")
        return 0.0
    limit = want["tolerance"]["absolute"] + want["tolerance"]["relative"] * np.abs(values)
    deviation = np.abs(have.astype(np.float64) - values)
    if not (deviation <= limit).all():
        raise AssertionError(f"{where}: off by {deviation.max():.3g}, beyond {want['tolerance']}")
    return float(deviation.max(initial=0.0))


def _array(encoded):
    data = [np.nan if v is None else v for v in encoded["data"]]
    return np.array(data, dtype=_DTYPES[encoded["datatype"]]).reshape(encoded["shape"])


def _scalar(value):
    if isinstance(value, np.floating):
        # The shortest decimal that reads back as the same number: at most 9 digits for float32.
        return None if np.isnan(value) else float(str(value))
    return value.item() if isinstance(value, np.generic) else value
