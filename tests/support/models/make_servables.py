"""Writes small models with real TensorFlow: `python make_servables.py DIR`. Run by servables.py.

Half-plus-two and its relatives are made after the description of TensorFlow Serving's test data:
y = x / 2 + 2, asked by a number (predict) or by a tf.Example (classify, regress).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import numpy as np
import tensorflow as tf
from flatbuffers import flexbuffers
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.lite.python import schema_py_generated as schema

v1 = tf.compat.v1
VERSION = "00000123"  # 123, written as TensorFlow Serving's own test data has it
ECHOED = (
    *(tf.float32, tf.float64, tf.float16, tf.bfloat16, tf.complex64, tf.complex128, tf.bool, tf.string),
    *(tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64),
)


def half_plus(path: Path, plus: float = 2.0) -> None:
    """As TensorFlow 1 exports it: variables, a session, signatures of all three kinds."""
    with tf.Graph().as_default(), v1.Session() as session:
        a, b, c = (v1.Variable(value, use_resource=True) for value in (0.5, plus, 3.0))
        serialised = v1.placeholder(tf.string, [None], "tf_example")
        parsed = tf.io.parse_example(
            serialised,
            {
                "x": tf.io.FixedLenFeature([1], tf.float32),
                "x2": tf.io.FixedLenFeature([1], tf.float32, default_value=[0.0]),
            },
        )
        x, x2 = tf.identity(parsed["x"], "x"), tf.identity(parsed["x2"], "x2")
        y, y2 = tf.identity(a * x + b, "y"), tf.identity(a * x + c, "y2")
        y3 = tf.identity(a * x2 + c, "y3")
        session.run(v1.global_variables_initializer())
        utils = v1.saved_model
        signatures = {
            "serving_default": utils.predict_signature_def({"x": x}, {"y": y}),
            "classify_x_to_y": classify(serialised, y),
            "classify_x2_to_y3": classify(serialised, y3),
            "regress_x_to_y": utils.regression_signature_def(serialised, y),
            "regress_x_to_y2": utils.regression_signature_def(serialised, y2),
            "regress_x2_to_y3": utils.regression_signature_def(serialised, y3),
        }
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
        builder.save()


def classify(serialised: tf.Tensor, scores: tf.Tensor) -> object:
    """With scores only, as half-plus-two has it: there are no labels."""
    info = v1.saved_model.build_tensor_info
    return v1.saved_model.build_signature_def(
        {"inputs": info(serialised)}, {"scores": info(scores)}, "tensorflow/serving/classify"
    )


def half_plus_two_of_tensorflow_2(path: Path) -> None:
    """TensorFlow 2 calls each signature a predict signature, whatever it is good for."""
    module = tf.Module()
    module.a, module.b = tf.Variable(0.5), tf.Variable(2.0)

    def parsed(examples: tf.Tensor) -> tf.Tensor:
        return tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]

    def y(x: tf.Tensor) -> tf.Tensor:
        return module.a * x + module.b

    save(
        path,
        module,
        serving_default=(lambda x: {"y": y(x)}, {"x": tf.TensorSpec([None, 1])}),
        classify_x_to_y=(lambda inputs: {"scores": y(parsed(inputs))}, {"inputs": strings()}),
        regress_x_to_y=(lambda inputs: {"outputs": y(parsed(inputs))}, {"inputs": strings()}),
    )


def strings() -> tf.TensorSpec:
    return tf.TensorSpec([None], tf.string)


def save(
    path: Path, module: tf.Module | None = None, **signatures: tuple[Callable, dict[str, tf.TensorSpec]]
) -> None:
    """A SavedModel of functions: name to body and the specs of its inputs."""
    module = module or tf.Module()
    concrete = {}
    for name, (body, specs) in signatures.items():
        named = [tf.TensorSpec(spec.shape, spec.dtype, alias) for alias, spec in specs.items()]
        function = tf.function(body, input_signature=named)
        setattr(module, f"f_{name}", function)
        concrete[name] = function
    tf.saved_model.save(module, str(path), signatures=concrete)


def numbers(*shape: int | None) -> tf.TensorSpec:
    return tf.TensorSpec(shape or [None], tf.float32)


def not_a_number(path: Path) -> None:
    save(path, serving_default=(lambda x: {"y": x * float("nan")}, {"x": numbers()}))


def pairs(path: Path) -> None:
    """Half-plus-two whose output has another shape: [n, 2] instead of [n]."""
    save(path, serving_default=(lambda x: {"y": tf.stack([x / 2 + 2, x], 1)}, {"x": numbers()}))


def half_plus_two_of_rank_1(path: Path) -> None:
    save(path, serving_default=(lambda x: {"y": x / 2 + 2}, {"x": numbers()}))


def constants(path: Path) -> None:
    """Two signatures that answer one value each, whatever they are asked."""
    asked = {"x": tf.TensorSpec(None, tf.float32)}
    save(
        path,
        serving_default=(lambda x: {"y": tf.constant(1.0)}, asked),
        custom_signature_key=(lambda x: {"y": tf.constant(2.0)}, asked),
    )


def mixed_batches(path: Path) -> None:
    """Two inputs and outputs, each with a batch size of its own."""
    body = lambda a, b: {"twice_a": 2 * a, "sum_b": tf.reduce_sum(b, keepdims=True)}  # noqa: E731
    save(path, serving_default=(body, {"a": numbers(), "b": numbers()}))


def named(path: Path) -> None:
    """Two inputs and outputs of one batch size; strings come back as text and as bytes."""

    def body(name: tf.Tensor, size: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"name": name, "name_bytes": name, "twice": 2 * size}

    save(path, serving_default=(body, {"name": strings(), "size": numbers()}))


def echo(path: Path) -> None:
    """One signature per type, which gives its input back."""
    bodies = {
        dtype.name: (lambda x: {"y": tf.identity(x)}, {"x": tf.TensorSpec(None, dtype)}) for dtype in ECHOED
    }
    save(path, **bodies)


def slow(path: Path) -> None:
    """Multiplies matrices for as many seconds as the largest value of its input says."""

    def body(seconds: tf.Tensor) -> dict[str, tf.Tensor]:
        end = tf.timestamp() + tf.cast(tf.reduce_max(seconds), tf.float64)
        matrix = tf.eye(64)
        spun = tf.while_loop(
            lambda _: tf.timestamp() < end, lambda value: [value @ matrix], [matrix], parallel_iterations=1
        )
        with tf.control_dependencies(spun):
            return {"seconds": tf.identity(seconds)}

    save(path, serving_default=(body, {"seconds": numbers()}))


def odd_rows(path: Path) -> None:
    """Outputs with and without one row for each example, all slow enough for callers to meet in the queue."""
    names = tf.constant(["cat", "dog", "cow", "fox", "owl", "pig", "rat", "yak"])

    def slowly(body: Callable) -> tuple[Callable, dict[str, tf.TensorSpec]]:
        def slow_body(x: tf.Tensor) -> dict[str, tf.Tensor]:
            end, matrix = tf.timestamp() + 0.03, tf.eye(64)
            spun = tf.while_loop(
                lambda _: tf.timestamp() < end,
                lambda value: [value @ matrix],
                [matrix],
                parallel_iterations=1,
            )
            with tf.control_dependencies(spun):
                return {alias: tf.identity(output) for alias, output in body(x).items()}

        return slow_body, {"x": numbers()}

    save(
        path,
        constant=slowly(lambda x: {"names": names, "y": x}),
        flat=slowly(lambda x: {"pair": tf.reshape(tf.stack([x, x * 10], 1), [-1])}),
        total=slowly(lambda x: {"sum": tf.reduce_sum(x), "y": x}),
        transposed=slowly(lambda x: {"y": tf.stack([x, x + 1])}),
        rows=slowly(lambda x: {"y": x / 2 + 2}),
    )


def functions(path: Path) -> None:
    """Two functions, each a signature, neither the default one."""
    save(
        path,
        add=(lambda x: {"sum": x + 1.0}, {"x": numbers()}),
        multiply=(lambda x: {"product": x * 3.0}, {"x": numbers()}),
    )


def scalar_placeholder(path: Path) -> None:
    """As TensorFlow 1 exported half-plus-two where nobody gave the placeholder a shape but []."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [], "x")
        y = tf.identity(x / 2 + 2, "y")
        signatures = {"serving_default": v1.saved_model.predict_signature_def({"x": x}, {"y": y})}
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
        builder.save()


def convolved(path: Path) -> None:
    """Declared for images of 8 x 8; the graph takes every size, but not every number of dimensions."""
    kernel = tf.ones([3, 3, 1, 1]) / 9

    def body(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.reduce_mean(tf.nn.conv2d(x, kernel, 1, "VALID"), [1, 2, 3])}

    save(path, serving_default=(body, {"x": tf.TensorSpec([None, 8, 8, 1])}))


def digits(path: Path) -> None:
    """A model of numbers, shaped like the MNIST example of TensorFlow Serving: 784 pixels as floats."""

    def body(images: tf.Tensor) -> dict[str, tf.Tensor]:
        ten = tf.reduce_sum(tf.reshape(images[:, :780], [-1, 10, 78]), 2)
        return {"scores": tf.nn.softmax(ten), "classes": tf.argmax(ten, 1)}

    save(path, predict_images=(body, {"images": numbers(None, 784)}))


def no_inputs(path: Path) -> None:
    """One signature that takes nothing, one that takes two inputs."""
    save(
        path,
        state=(lambda: {"v": tf.constant(42.0)}, {}),
        sums=(lambda a, b: {"sum": a + b}, {"a": numbers(), "b": numbers()}),
    )


def sequential(path: Path) -> None:
    """A Keras model with one layer: the sum of its two inputs, plus 1."""
    model = tf.keras.Sequential([tf.keras.Input([2], name="x"), tf.keras.layers.Dense(1, name="y")])
    model.set_weights([np.ones((2, 1), np.float32), np.ones(1, np.float32)])
    model.export(str(path), verbose=False)


def mirrored(path: Path) -> None:
    """The same, made under MirroredStrategy."""
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        sequential(path)


def tflite_without_signature(path: Path) -> None:
    """Its tensors are x and y, and nothing says so but their names."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [1], "x")
        y = tf.identity(x / 2 + 2, "y")
        converter = v1.lite.TFLiteConverter.from_session(session, [x], [y])
        write(path, converter.convert())


def tflite_with_signature(path: Path) -> None:
    module = tf.Module()
    module.run = tf.function(
        lambda x: {"y": x / 2 + 2}, input_signature=[tf.TensorSpec([1], tf.float32, "x")]
    )
    function = module.run.get_concrete_function()
    write(path, tf.lite.TFLiteConverter.from_concrete_functions([function], module).convert())


def tflite_with_definition(path: Path) -> None:
    """As TensorFlow Serving's own tools write it: a SignatureDef in the metadata, by a name of its own."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [1, 1], "tflite_input")
        y = tf.identity(x / 2 + 2, "tflite_output")
        converted = v1.lite.TFLiteConverter.from_session(session, [x], [y]).convert()
    info = lambda name: meta_graph_pb2.TensorInfo(name=f"{name}:0", dtype=1)  # noqa: E731
    definition = meta_graph_pb2.SignatureDef(
        inputs={"x": info("tflite_input")},
        outputs={"y": info("tflite_output")},
        method_name="tensorflow/serving/predict",
    )
    write(path, with_definitions(converted, serving_default=definition))


def with_definitions(converted: bytes, **definitions: meta_graph_pb2.SignatureDef) -> bytes:
    """The file with a flexbuffer that maps names to serialised messages."""
    table = flexbuffers.Builder()
    with table.Map():
        for name, definition in definitions.items():
            table.Key(name)
            table._WriteBlob(definition.SerializeToString(), True, flexbuffers.Type.STRING)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(converted, 0))
    model.signatureDefs = []
    model.buffers.append(schema.BufferT())
    model.buffers[-1].data = np.frombuffer(table.Finish(), np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = b"signature_defs_metadata", len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    packed = flatbuffers.Builder()
    packed.Finish(model.Pack(packed), b"TFL3")
    return bytes(packed.Output())


def write(path: Path, model: bytes) -> None:
    path.mkdir(parents=True)
    (path / "model.tflite").write_bytes(model)


MADE = (
    *(not_a_number, pairs, mixed_batches, named, echo, slow, odd_rows, functions, sequential, mirrored),
    *(scalar_placeholder, convolved, no_inputs, digits),
)


def main(out: Path) -> None:
    half_plus(out / "half_plus_two" / VERSION)
    half_plus(out / "half_plus_three" / VERSION, plus=3.0)
    two = out / "two_versions"
    shutil.copytree(out / "half_plus_two" / VERSION, two / VERSION)
    shutil.copytree(out / "half_plus_three" / VERSION, two / "00000124")
    half_plus_two_of_tensorflow_2(out / "half_plus_two_tf2" / VERSION)
    half_plus_two_of_rank_1(out / "rank_1" / "1")
    constants(out / "constants" / VERSION)
    for make in MADE:
        make(out / make.__name__ / "1")
    for make in (tflite_without_signature, tflite_with_signature, tflite_with_definition):
        make(out / make.__name__ / VERSION)
    damaged(out)


def damaged(out: Path) -> None:
    """Half-plus-two as it should not be."""
    whole = out / "half_plus_two" / VERSION
    (out / "empty" / "1").mkdir(parents=True)
    shutil.copytree(whole, out / "truncated" / "1")
    graph = out / "truncated" / "1" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:500])
    shutil.copytree(whole, out / "no_variables" / "1")
    shutil.rmtree(out / "no_variables" / "1" / "variables")
    shutil.copytree(whole, out / "unknown_operation" / "1")
    graph = out / "unknown_operation" / "1" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes().replace(b"AddV2", b"Add_9"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
