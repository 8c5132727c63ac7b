"""Keras networks through tf2onnx and through Keras' own ONNX export."""

import os
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf2onnx  # noqa: E402
from keras import layers  # noqa: E402

import write  # noqa: E402


def sequential(shape, *stack):
    return keras.Sequential([keras.Input(shape, name="x"), *stack])


def attention():
    x = keras.Input((6, 8), name="x")
    y = layers.GlobalMaxPooling1D()(layers.MultiHeadAttention(2, 4)(x, x))
    return keras.Model(x, layers.Dense(2)(y))


def export(model, exporter, file, shape):
    if exporter == "export":
        model.export(file, format="onnx", verbose=False)
        return
    signature = [tf.TensorSpec([None, *shape], tf.float32, name="x")]
    function = tf.function(lambda x: model(x, training=False))
    tf2onnx.convert.from_function(function, input_signature=signature, opset=17, output_path=file)


def main():
    keras.utils.set_random_seed(0)
    models = {
        "dense": sequential(
            (7,), layers.Dense(16, "relu"), layers.BatchNormalization(), layers.Dropout(0.3), layers.Dense(3, "softmax"),
        ),
        "conv": sequential(
            (12, 12, 3), layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(),
            layers.DepthwiseConv2D(3, padding="same"), layers.SeparableConv2D(8, 3, strides=2, padding="same"),
            layers.GlobalAveragePooling2D(), layers.Dense(3),
        ),
        "lstm": sequential((10, 3), layers.Bidirectional(layers.LSTM(8, return_sequences=True)), layers.LSTM(4), layers.Dense(1)),
        "gru": sequential((10, 3), layers.GRU(8), layers.Dense(1)),
        "causal": sequential(
            (10, 3), layers.Conv1D(8, 3, padding="causal", dilation_rate=2, activation="elu"),
            layers.LayerNormalization(), layers.Flatten(), layers.Dense(2, "sigmoid"),
        ),
        "attention": attention(),
    }
    for name, model in models.items():
        shape = model.input_shape[1:]
        x = np.random.RandomState(0).randn(5, *shape).astype("float32")
        y = model.predict(x, verbose=0)
        for exporter in ("tf2onnx", "export"):
            path = write.folder(f"keras-{name}-{exporter}")
            export(model, exporter, str(path / "model.onnx"), shape)
            write.finish(path, f"Keras {keras.__version__}", x, y)


if __name__ == "__main__":
    main()
