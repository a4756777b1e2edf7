"""Writes one tiny classifier in every format that people have: `python make_convertible.py DIR`.

Seven classes, pixels of 32 x 40, one convolution: every file holds the same numbers. `expected.json` has the
probabilities that TensorFlow and TensorFlow Lite compute for `photo.png`, which has just that size.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
HEIGHT_PX, WIDTH_PX, CLASSES = 32, 40, 7
RANDOM = np.random.default_rng(3)
KERNEL = RANDOM.normal(0, 0.5, (3, 3, 3, 8)).astype(np.float32)
HEAD = RANDOM.normal(0, 0.7, (8, CLASSES)).astype(np.float32)


def levels() -> np.ndarray:
    """The photo: [32, 40, 3] in 0..255."""
    ramp = np.linspace(0, 255, WIDTH_PX)[None, :, None] * np.array([1.0, 0.6, 0.2])
    return np.clip(ramp + RANDOM.uniform(0, 60, (HEIGHT_PX, WIDTH_PX, 3)), 0, 255).astype(np.uint8)


def photo_values(photo: np.ndarray) -> np.ndarray:
    """As the float models want it: [1, 32, 40, 3] in -1..1."""
    return (photo[None] / 127.5 - 1).astype(np.float32)


def logits(values: tf.Tensor, kernel: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    features = tf.nn.relu(tf.nn.conv2d(values, kernel, 2, "VALID"))
    return tf.matmul(tf.reduce_mean(features, [1, 2]), head)


def keras_model(activation: str | None = None) -> keras.Model:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((HEIGHT_PX, WIDTH_PX, 3), name="photo"),
            layers.Conv2D(8, 3, strides=2, use_bias=False, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(CLASSES, use_bias=False, activation=activation),
        ]
    )
    model.set_weights([KERNEL, HEAD])
    return model


def keras_files(out: Path) -> None:
    keras_model("softmax").save(out / "model.keras")
    keras_model().save(out / "model.h5")
    keras_model().save_weights(out / "only.weights.h5")
    own = keras.Sequential(
        [keras.Input((HEIGHT_PX, WIDTH_PX, 3)), keras.layers.Rescaling(1 / 127.5, -1), keras_model("softmax")]
    )
    own.save(out / "rescales.keras")


def keras_2_files(out: Path, photo: np.ndarray) -> np.ndarray:
    """A network as Keras 2 wrote it, with what Keras 3 no longer knows. Gives its answer to the photo."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((HEIGHT_PX, WIDTH_PX, 3), name="photo"),
            layers.DepthwiseConv2D(3, strides=2),
            layers.SpatialDropout2D(0.1),
            layers.SeparableConv2D(8, 3),
            layers.BatchNormalization(),
            layers.Conv2DTranspose(8, 2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.save(out / "keras_2.h5")
    with h5py.File(out / "keras_2.h5", "r+") as file:
        written = json.loads(file.attrs["model_config"])
        for layer in written["config"]["layers"]:
            as_keras_2(layer)
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(written), "2.15.0"
    answer: np.ndarray = model(photo_values(photo)).numpy()
    return answer


def as_keras_2(layer: dict) -> None:
    """A layer's configuration, in place."""
    name, config = layer["class_name"], layer["config"]
    for key in ("module", "registered_name", "build_config"):
        layer.pop(key, None)
    config["dtype"] = "float32"
    for key, value in config.items():
        if key.endswith("_initializer") and value:
            value["config"]["dtype"] = "float32"  # until TensorFlow 2.2
    if "Conv2D" in name:
        config["groups"] = 1
    if "Separable" in name:
        initialiser = {"class_name": "GlorotUniform", "config": {"seed": None}}
        config |= {"kernel_initializer": initialiser, "kernel_regularizer": None, "kernel_constraint": None}
    if name == "InputLayer":
        config |= {"batch_input_shape": config.pop("batch_shape"), "ragged": False}
    if name == "BatchNormalization":
        config["axis"] = [3]
    if name == "SpatialDropout2D":
        config["noise_shape"] = None


def graphs_of_tensorflow_1(out: Path) -> None:
    """A SavedModel with variables, a frozen graph with a second branch, and a checkpoint."""
    with tf.Graph().as_default() as graph, v1.Session() as session:
        image = v1.placeholder(tf.float32, [None, HEIGHT_PX, WIDTH_PX, 3], "input")
        scores = logits(image, v1.Variable(KERNEL), v1.Variable(HEAD))
        probabilities = tf.nn.softmax(scores, name="probabilities")
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(out / "saved_model_1"), {"image": image}, {"scores": scores})
        v1.train.Saver().save(session, str(out / "checkpoints" / "model.ckpt"))
        frozen = v1.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), ["probabilities"]
        )
    (out / "frozen.pb").write_bytes(frozen.SerializeToString())
    assert probabilities is not None


def saved_models(out: Path) -> None:
    """Of TensorFlow 2: from one image at a time, channels first and uint8, and from encoded images."""
    module = tf.Module()
    module.kernel, module.head = tf.Variable(KERNEL), tf.Variable(HEAD)

    def classify(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        values = tf.cast(tf.transpose(pixels, (0, 2, 3, 1)), tf.float32) / 127.5 - 1
        return {"scores": logits(values, module.kernel, module.head), "features": values}

    def from_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        one = tf.TensorSpec([HEIGHT_PX, WIDTH_PX, 3], tf.uint8)
        square = lambda data: tf.image.resize(tf.io.decode_png(data, 3), one.shape[:2])  # noqa: E731
        decode = lambda data: tf.cast(square(data), tf.uint8)  # noqa: E731
        pixels = tf.map_fn(decode, image_bytes, fn_output_signature=one)
        return {"p": tf.nn.softmax(classify(tf.transpose(pixels, (0, 3, 1, 2)))["scores"])}

    one_at_a_time = tf.TensorSpec([1, 3, HEIGHT_PX, WIDTH_PX], tf.uint8, "pixels")
    save_one(out / "saved_model_2", module, "classify", classify, one_at_a_time)
    save_one(
        out / "encoded",
        module,
        "serving_default",
        from_bytes,
        tf.TensorSpec([None], tf.string, "image_bytes"),
    )
    odd = lambda pixels: {"p": tf.nn.softmax(tf.math.lgamma(tf.reduce_mean(pixels, [1, 2]) + 1.5))}  # noqa: E731
    save_one(
        out / "odd", module, "odd", odd, tf.TensorSpec([None, HEIGHT_PX, WIDTH_PX, 3], tf.float32, "pixels")
    )


def save_one(path: Path, module: tf.Module, name: str, body: Callable, spec: tf.TensorSpec) -> None:
    function = tf.function(body, input_signature=[spec])
    setattr(module, name, function)
    tf.saved_model.save(module, str(path), {name: function})


def tflite_files(out: Path, photo: np.ndarray) -> None:
    model = keras_model("softmax")
    (out / "float.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    (out / "logits.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(keras_model()).convert())
    for dtype in (tf.uint8, tf.int8):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: [[photo_values(photo)]]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = dtype
        (out / f"{dtype.name}.tflite").write_bytes(converter.convert())


def tflite_answer(file: Path, photo: np.ndarray) -> np.ndarray:
    """As the integers of the quantised input mean it: level = integer, or integer + 128."""
    interpreter = tf.lite.Interpreter(str(file))
    interpreter.allocate_tensors()
    (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
    integers = photo[None].astype(np.int16) - (128 if into["dtype"] == np.int8 else 0)
    interpreter.set_tensor(into["index"], integers.astype(into["dtype"]))
    interpreter.invoke()
    scale, zero_point = out["quantization"]
    return (interpreter.get_tensor(out["index"]).astype(float) - zero_point) * scale


def openvino_files(out: Path) -> None:
    import openvino

    model = openvino.convert_model(str(out / "saved_model_1"))
    openvino.save_model(model, out / "ir" / "net.xml", compress_to_fp16=False)


def torch_files(out: Path) -> None:
    """Channels first, as usual there."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = torch.nn.Parameter(torch.tensor(KERNEL.transpose(3, 2, 0, 1)))
            self.head = torch.nn.Parameter(torch.tensor(HEAD))

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            features = torch.relu(torch.nn.functional.conv2d(pixels, self.kernel, stride=2))
            return features.mean((2, 3)) @ self.head

    pixels = torch.zeros(2, 3, HEIGHT_PX, WIDTH_PX)
    network = Network().eval()
    torch.jit.save(torch.jit.trace(network, pixels), str(out / "script.pt"))
    any_batch = ({0: torch.export.Dim("n", min=1)},)
    torch.export.save(
        torch.export.export(network, (pixels,), dynamic_shapes=any_batch), str(out / "export.pt2")
    )
    torch.save(network.state_dict(), str(out / "state_dict.pth"))


def main(out: Path) -> None:
    out.mkdir(parents=True)
    photo = levels()
    tf.io.write_file(str(out / "photo.png"), tf.io.encode_png(photo))
    keras_files(out)
    graphs_of_tensorflow_1(out)
    saved_models(out)
    tflite_files(out, photo)
    openvino_files(out)
    try:
        torch_files(out)
    except ImportError:
        print("PyTorch is not installed: none of its files", file=sys.stderr)
    plain = tf.nn.softmax(logits(photo_values(photo), KERNEL, HEAD)).numpy()
    expected = {
        "float": plain[0].tolist(),
        "keras_2": keras_2_files(out, photo)[0].tolist(),
        **{name: tflite_answer(out / f"{name}.tflite", photo)[0].tolist() for name in ("uint8", "int8")},
    }
    (out / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
