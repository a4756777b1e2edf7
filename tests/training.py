"""Photos and a teacher of the tests' own, so small that a training takes seconds."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from models.training.job import Job
from models.training.recipe import Recipe

RECIPE = Recipe(seed=7, epochs=3, batch=4, small_px=32, small_epochs=1, middle_px=32, large_px=32)
RUN_A_JOB = """
import sys
from pathlib import Path
from tests.training import job
job(Path(sys.argv[1]), Path(sys.argv[2])).run(lambda line: print(line, flush=True))
"""


def job(given: Path, work: Path, start: Path | None = None, **changes: object) -> Job:
    """A training of what `make_photos` and `make_teacher` left in a folder."""
    recipe = Recipe(**{**RECIPE.__dict__, **changes})  # type: ignore[arg-type]
    return Job([given / "pets", given / "things.zip"], given / "teacher.tflite", work, recipe, start)


def a_photo(colour: tuple[int, int, int], side_px: int = 40) -> bytes:
    noise = np.random.default_rng(sum(colour)).integers(0, 40, (side_px, side_px, 3))
    pixels = np.clip(noise + np.array(colour), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def make_photos(folder: Path) -> None:
    """Six pets in a folder, one of them broken, and six things in a ZIP, in folders named by WordNet id."""
    (folder / "pets").mkdir()
    for number in range(5):
        (folder / "pets" / f"{number}.png").write_bytes(a_photo((30 * number, 80, 120)))
    (folder / "pets" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more of it")
    with zipfile.ZipFile(folder / "things.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"n01440764/{number}.png", a_photo((200, 20 * number, 0)))
            archive.writestr(f"n03445777/{number}.png", a_photo((0, 20 * number, 200)))


def make_teacher(path: Path, classes: int = 1001) -> None:
    """Its answer depends on the mean colour alone: uint8 [1, 8, 8, 3] to probabilities [1, classes]."""
    write_tflite(path, classes, lambda tf: tf.uint8)


def write_tflite(path: Path, classes: int, dtype: Callable) -> None:
    import tensorflow as tf

    kernel = np.random.default_rng(3).standard_normal((3, classes)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec([1, 8, 8, 3], dtype(tf))])
    def answer(pixels):
        colour = tf.reduce_mean(tf.cast(pixels, tf.float32), [1, 2]) / 32.0
        return tf.nn.softmax(tf.matmul(colour, kernel))

    made = tf.lite.TFLiteConverter.from_concrete_functions([answer.get_concrete_function()])
    path.write_bytes(made.convert())
