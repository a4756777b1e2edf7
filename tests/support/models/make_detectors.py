"""Writes tiny networks that look like classifiers and are none: `python make_detectors.py DIR`.

Detectors as their tools name and shape what they give, maps, feature vectors, several labels at once.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tests.support.models.onnx_bytes import SIDE_PX, classifier, node, onnx_bytes, value

v1 = tf.compat.v1
BOXES = 10
RANDOM = np.random.default_rng(7)


def weights(*shape: int) -> np.ndarray:
    return RANDOM.normal(0, 0.5, shape).astype(np.float32)


KERNEL = weights(3, BOXES)


def found(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
    """As TensorFlow's Object Detection API names it, without any sense: boxes of each image with scores."""
    colours = tf.reduce_mean(tf.cast(pixels, tf.float32) / 255, [1, 2])
    scores = tf.sigmoid(tf.matmul(colours, KERNEL))
    return {
        "detection_boxes": tf.repeat(scores[..., tf.newaxis], 4, -1),
        "detection_scores": scores,
        "detection_classes": tf.ones_like(scores),
        "num_detections": tf.reduce_sum(tf.ones_like(scores), -1),
    }


def tensorflow_files(out: Path) -> None:
    """From pixels, from encoded images, and under the contract's own names."""
    module = tf.Module()
    pixels = tf.TensorSpec([None, SIDE_PX, SIDE_PX, 3], tf.float32, "pixels")
    images = tf.TensorSpec([None], tf.string, "images")

    def decoded(data: tf.Tensor) -> tf.Tensor:
        return tf.image.resize(tf.io.decode_image(data, 3, expand_animations=False), (SIDE_PX, SIDE_PX))

    def of_images(images: tf.Tensor) -> dict[str, tf.Tensor]:
        one = tf.TensorSpec([SIDE_PX, SIDE_PX, 3], tf.float32)
        return found(tf.map_fn(decoded, images, fn_output_signature=one))

    def as_classes(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = of_images(images)
        classes = tf.strings.as_string(tf.cast(outputs["detection_classes"], tf.int64))
        return {"classes": classes[:, :5], "scores": 0.5 + outputs["detection_scores"][:, :5] / 2}

    def unnamed(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {f"output_{place}": value for place, value in enumerate(found(pixels).values())}

    for name, body, signature, spec in (
        ("detector", found, "serving_default", pixels),
        ("detector_of_images", of_images, "serving_default", images),
        ("detector_with_classes", as_classes, "predict_images", images),
    ):
        function = tf.function(body, input_signature=[spec])
        setattr(module, name, function)
        tf.saved_model.save(module, str(out / name), {signature: function})
    one = tf.function(unnamed).get_concrete_function(tf.TensorSpec([1, SIDE_PX, SIDE_PX, 3], tf.float32))
    (out / "detector.tflite").write_bytes(
        tf.lite.TFLiteConverter.from_concrete_functions([one], module).convert()
    )
    with tf.Graph().as_default() as graph:
        for name, value in found(v1.placeholder(tf.float32, [None, SIDE_PX, SIDE_PX, 3], "image")).items():
            tf.identity(value, name)
    (out / "detector.pb").write_bytes(graph.as_graph_def().SerializeToString())


def suppressing_files(out: Path) -> None:
    """Ends of detectors in one table, which by name and shape could be scores of seven classes."""

    def table(pixels: tf.Tensor) -> tf.Tensor:
        boxes = tf.reshape(pixels[:, :2, :BOXES], (-1, 4))
        scores = tf.reduce_mean(boxes, -1)
        kept = tf.image.non_max_suppression(boxes, scores, 1, score_threshold=-1.0)
        rest = tf.tile(tf.gather(scores, kept)[:, tf.newaxis], (1, 3))
        return tf.concat([tf.gather(boxes, kept), rest], -1)

    module = tf.Module()
    spec = tf.TensorSpec([1, SIDE_PX, SIDE_PX, 3], tf.float32, "pixels")
    module.call = tf.function(lambda pixels: {"output_0": tf.reshape(table(pixels), (1, 7))}, [spec])
    tf.saved_model.save(module, str(out / "suppressed"), {"serving_default": module.call})
    with tf.Graph().as_default() as graph:
        tf.identity(table(v1.placeholder(tf.float32, [1, SIDE_PX, SIDE_PX, 3], "image")), "output")
    (out / "suppressed.pb").write_bytes(graph.as_graph_def().SerializeToString())

    settings = {"max_detections": "i: 1", "max_classes_per_detection": "i: 1", "use_regular_nms": "b: false"}
    settings |= {"nms_score_threshold": "f: 0.0", "nms_iou_threshold": "f: 0.6", "num_classes": "i: 2"}
    settings |= {f"{axis}_scale": "f: 10.0" for axis in "yxhw"}
    given = " ".join(f'attr {{ key: "{key}" value {{ {text} }} }}' for key, text in settings.items())
    implements = f'name: "TFLite_Detection_PostProcess" {given}'

    @tf.function(experimental_implements=implements)
    def processed(boxes: tf.Tensor, scores: tf.Tensor, anchors: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return tf.zeros((1, 1, 4)), tf.zeros((1, 1)), tf.zeros((1, 1)), tf.zeros((1,))

    def detect(pixels: tf.Tensor) -> tf.Tensor:
        boxes = tf.reshape(pixels[:, :2, :BOXES], (1, -1, 4))
        return processed(boxes, boxes[:, :, :2], tf.zeros((15, 4)))[0]

    one = tf.function(detect, [spec]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([one], module)
    converter.allow_custom_ops = True
    (out / "processed.tflite").write_bytes(converter.convert())


def keras_files(out: Path) -> None:
    keras.utils.set_random_seed(7)
    layers = keras.layers
    image = keras.Input((SIDE_PX, SIDE_PX, 3))
    mean = layers.GlobalAveragePooling2D()(image)
    boxes = layers.Reshape((BOXES, 4))(layers.Dense(4 * BOXES)(mean))
    scores = layers.Dense(BOXES, activation="sigmoid")(mean)
    vector = layers.Dense(64)(mean)
    ends = keras.initializers.Constant([*[9.0] * 32, *[-9.0] * 32])
    outputs = {
        "detector": [boxes, scores],
        "segments": layers.Conv2D(5, 1, activation="softmax")(image),
        "labels_of_one_image": layers.Dense(6, activation="sigmoid")(mean),
        "vector_of_length_1": layers.UnitNormalization()(vector),
        "after_a_relu": layers.ReLU()(layers.Dense(64, bias_initializer=ends)(mean)),
    }
    for name, output in outputs.items():
        keras.Model(image, output).save(out / f"{name}.keras")


def onnx_files(out: Path) -> None:
    """As YOLO gives it (84 numbers for each of 8400 boxes, here 6 for 512), and as others do."""
    yolo = [node("Reshape", ("images", "table"), "output0")]
    table = value("output0", (1, 6, 512))
    notes = {"task": "detect", "imgsz": "[32, 32]", "names": "{0: 'person', 1: 'car'}"}
    (out / "yolo.onnx").write_bytes(onnx_bytes(yolo, [table], {"table": (1, 6, 512)}, {}))
    (out / "yolo-with-notes.onnx").write_bytes(onnx_bytes(yolo, [table], {"table": (1, 6, 512)}, notes))
    boxes = [node("Reshape", ("images", "rows"), "boxes"), node("Reshape", ("images", "flat"), "scores")]
    outputs = [value("boxes", (768, 4)), value("scores", (1, 3072))]
    (out / "boxes.onnx").write_bytes(onnx_bytes(boxes, outputs, {"rows": (768, 4), "flat": (1, 3072)}, {}))
    heads = [node("Tile", ("images", "twice"), "cls_8"), node("Reshape", ("images", "same"), "cls_16")]
    outputs = [value("cls_8", (1, 3, 64, 64)), value("cls_16", (1, 3, 32, 32))]
    shapes = {"twice": (1, 1, 2, 2), "same": (1, 3, 32, 32)}
    (out / "heads.onnx").write_bytes(onnx_bytes(heads, outputs, shapes, {}))
    (out / "classify.onnx").write_bytes(classifier())


def openvino_files(out: Path) -> None:
    import openvino

    for name in ("boxes", "yolo"):
        openvino.save_model(openvino.convert_model(out / f"{name}.onnx"), out / f"{name}-ir" / "net.xml")


def tflite_with_notes(out: Path) -> None:
    """The notes in the archive behind the file, as Ultralytics writes them."""
    file = out / "noted.tflite"
    model = keras.Sequential([keras.Input((SIDE_PX, SIDE_PX, 3)), keras.layers.GlobalAveragePooling2D()])
    file.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("temp_meta.txt", str({"task": "segment", "names": {0: "person"}}))


def torchscript_with_notes(out: Path) -> None:
    """Its archive as far as it is looked at without PyTorch."""
    with zipfile.ZipFile(out / "pose.torchscript", "w") as archive:
        for name in ("constants.pkl", "data.pkl", "code/__torch__.py"):
            archive.writestr(f"m/{name}", "")
        archive.writestr("m/extra/config.txt", json.dumps({"task": "pose", "imgsz": [640, 640]}))


def main(out: Path) -> None:
    out.mkdir(parents=True)
    tensorflow_files(out)
    suppressing_files(out)
    keras_files(out)
    onnx_files(out)
    openvino_files(out)
    tflite_with_notes(out)
    torchscript_with_notes(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
