"""Writes `assets.extra/tf_serving_warmup_requests`, which a server replays before the first client comes.

A TFRecord file of PredictionLog messages: https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

PLACE = Path("assets.extra") / "tf_serving_warmup_requests"
SIGNATURE, INPUT = "predict_images", "images"
SIZE_PX = (96, 128)  # height, width


def write_warmup_requests(directory: Path, model_name: str) -> None:
    """Write one request with a JPEG and one with a PNG, the formats that clients send most."""
    height, width = SIZE_PX
    down, right = tf.meshgrid(tf.linspace(0.0, 255.0, height), tf.linspace(0.0, 255.0, width), indexing="ij")
    picture = tf.cast(tf.stack([right, down, 255.0 - right], axis=-1), tf.uint8)  # a gradient in each channel
    (directory / PLACE).parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(directory / PLACE)) as file:
        for encoded in (tf.io.encode_jpeg(picture), tf.io.encode_png(picture)):
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model_name
            request.model_spec.signature_name = SIGNATURE
            request.inputs[INPUT].CopyFrom(tf.make_tensor_proto([encoded.numpy()], tf.string))
            predict_log = prediction_log_pb2.PredictLog(request=request)
            file.write(prediction_log_pb2.PredictionLog(predict_log=predict_log).SerializeToString())
