"""Photos and a teacher of the tests' own, so small that a training takes seconds.

What needs TensorFlow runs as a process of its own (`python -m tests.training`): other tests in this one have
put a stand-in in its place.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.serving_process import ROOT

TINY = {
    "seed": 7,
    "epochs": 3,
    "batch": 4,
    "small_px": 32,
    "small_epochs": 1,
    "middle_px": 32,
    "large_px": 32,
}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.training", *map(str, arguments)]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False)


def train(
    given: Path, work: Path, start: Path | str = "", **changes: object
) -> subprocess.CompletedProcess[str]:
    """Train with what `make_photos` and `make_teacher` left in a folder."""
    return run("job", given, work, start, json.dumps(changes))


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


def make_teacher(path: Path, classes: int = 1001, dtype: str = "uint8") -> None:
    """Its answer depends on the mean colour alone: [1, 8, 8, 3] to probabilities [1, classes]."""
    made = run("teacher", path, classes, dtype)
    assert made.returncode == 0, made.stderr


def _job(given: str, work: str, start: str, changes: str) -> None:
    from models.training.job import Job
    from models.training.recipe import Recipe

    photos = [Path(given) / name for name in ("pets", "things.zip", "empty") if (Path(given) / name).exists()]
    recipe = Recipe(**{**TINY, **json.loads(changes)})
    job = Job(photos, Path(given) / "teacher.tflite", Path(work), recipe, Path(start) if start else None)
    job.run(lambda line: print(line, flush=True))


def _teacher(path: str, classes: str, dtype: str) -> None:
    import tensorflow as tf

    kernel = np.random.default_rng(3).standard_normal((3, int(classes))).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec([1, 8, 8, 3], tf.as_dtype(dtype))])
    def answer(pixels):
        colour = tf.reduce_mean(tf.cast(pixels, tf.float32), [1, 2]) / 32.0
        return tf.nn.softmax(tf.matmul(colour, kernel))

    made = tf.lite.TFLiteConverter.from_concrete_functions([answer.get_concrete_function()])
    Path(path).write_bytes(made.convert())


def _read_teacher(path: str) -> None:
    from models.training.teacher import Teacher

    Teacher(Path(path))


def _answer(weights: str) -> None:
    from models.demo import DemoModel

    answers = DemoModel(Path(weights)).classify_pixels(np.zeros((2, 192, 192, 3), np.float32))
    print(answers["probabilities"].numpy().sum(1).tolist())


if __name__ == "__main__":
    parts = {"job": _job, "teacher": _teacher, "read_teacher": _read_teacher, "answer": _answer}
    parts[sys.argv[1]](*sys.argv[2:])
