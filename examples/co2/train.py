"""How will CO2 in the air go on? A Keras LSTM from one year of weekly means to the next 12 weeks."""

import os
import pathlib
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # its order of summation depends on the machine
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import onnx
import tensorflow as tf
from statsmodels.datasets import co2

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))
import proof  # noqa: E402

HISTORY = 52  # weeks the model sees
AHEAD = 12  # weeks it forecasts
EPOCHS = 40
BATCH = 32

# Near 370 ppm two float32 neighbours are 3e-5 apart, and the instrument is good to 0.1 ppm.
PPM_TOLERANCE = {"absolute": 5e-4, "relative": 0.0}


def load():
    """Weekly CO2 at Mauna Loa in ppm, 1958 to 2001, as float32. Gaps of a few weeks are bridged by lines."""
    return co2.load_pandas().data["co2"].interpolate().to_numpy(np.float32)


def windows(series):
    """All histories [n, 52] in the series and what followed them [n, 12]."""
    both = np.lib.stride_tricks.sliding_window_view(series, HISTORY + AHEAD)
    return both[:, :HISTORY].copy(), both[:, HISTORY:].copy()


def network():
    """Learns the change since the last week, so that levels beyond those of training are no stranger."""
    history = keras.Input((HISTORY,), name="history")
    weeks = keras.layers.Reshape((HISTORY, 1))(history)
    last = keras.layers.Cropping1D((HISTORY - 1, 0))(weeks)
    change = keras.layers.Rescaling(0.2)(keras.layers.Subtract()([weeks, last]))
    state = keras.layers.LSTM(32)(change)
    step = keras.layers.Dense(AHEAD)(state)
    forecast = keras.layers.Add()([step, keras.layers.Flatten()(last)])
    return keras.Model(history, forecast)


def fit(model, history, future):
    steps = EPOCHS * len(history) // BATCH
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, steps)), "mse")
    model.fit(history, future, epochs=EPOCHS, batch_size=BATCH, verbose=0)


def baselines(history):
    """What needs no model: the last value; last year's weeks raised by the year's growth."""
    last = np.repeat(history[:, -1:], AHEAD, axis=1)
    season = history[:, :AHEAD] + history[:, -1:] - history[:, :1]
    return {"last value": last, "last year's season": season}


def export(model, path):
    """Input `history` [N, 52], output `forecast` [N, 12], both in ppm."""
    warnings.filterwarnings("ignore", category=FutureWarning, module="keras.src.export")
    model.export(path, format="onnx", opset_version=17, verbose=False)
    rename_output(path, "forecast")
    proof.describe(path, task="regression")


def rename_output(path, name):
    """The exporter calls every output after the TensorFlow node that it comes from (`Identity:0`)."""
    model = onnx.load(path)
    output = model.graph.output[0]
    for node in model.graph.node:
        node.output[:] = [name if o == output.name else o for o in node.output]
    output.name = name
    onnx.save(model, path)


def case(name, model, history):
    forecast = model.predict(history, verbose=0)
    return proof.case(
        name, [proof.tensor("history", history)], [proof.tensor("forecast", forecast, PPM_TOLERANCE)]
    )


def write_request(model, history):
    """The body for POST /predict and Keras' own answer to it."""
    request = case("request", model, history)
    weeks = request["inputs"][0]["data"]
    rows = [{"history": weeks[i : i + HISTORY]} for i in range(0, len(weeks), HISTORY)]
    proof.save(FOLDER / "request.json", {"rows": rows})
    proof.save(FOLDER / "expected.json", {"outputs": request["outputs"]})


def main():
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    series = load()
    split = len(series) * 4 // 5
    train_history, train_future = windows(series[:split])
    test_history, test_future = windows(series[split:])

    model = network()
    fit(model, train_history, train_future)
    error = np.abs(model.predict(test_history, verbose=0) - test_future).mean()
    print(f"mean absolute error on {len(test_history)} windows of the last nine years: {error:.2f} ppm")
    for name, forecast in baselines(test_history).items():
        print(f"  {name} instead: {np.abs(forecast - test_future).mean():.2f} ppm")

    export(model, FOLDER / "model.onnx")
    every_tenth = test_history[::10]
    cases = [case("held-out years", model, every_tenth[:36]), case("one row", model, test_history[-1:])]
    proof.write(FOLDER, f"Keras {keras.__version__} on TensorFlow {tf.__version__}", cases)
    write_request(model, test_history[-1:])

    deviation = proof.check(FOLDER / "model.onnx", [*cases, case("all windows", model, windows(series)[0])])
    print(f"largest deviation of ONNX Runtime from Keras: {deviation:.2g} ppm")


if __name__ == "__main__":
    main()
