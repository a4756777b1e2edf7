"""What real TensorFlow makes of encoded images, asked in a process of its own.

    python tests/support/models/tensorflow_pixels.py questions.pickle answers.pickle

A question is ("decode", bytes) or ("resize", array, (height, width), method, antialias); the answer is
an array, or a text when TensorFlow refuses.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path


def ask(scratch: Path, questions: list[tuple]) -> list:
    """The answers, in the order of the questions."""
    asked, answered = scratch / "questions.pickle", scratch / "answers.pickle"
    asked.write_bytes(pickle.dumps(questions))
    command = [sys.executable, __file__, str(asked), str(answered)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return pickle.loads(answered.read_bytes())


def _answer(tf, question: tuple) -> object:
    kind, *rest = question
    if kind == "resize":
        levels, size_px, method, antialias = rest
        return tf.image.resize(levels, size_px, method=method, antialias=antialias).numpy()
    try:
        return tf.io.decode_image(rest[0], channels=3, expand_animations=False).numpy()
    except tf.errors.OpError as problem:
        return str(problem)


if __name__ == "__main__":
    os.environ["CUDA_VISIBLE_DEVICES"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "-1", "3"
    import tensorflow

    found = [_answer(tensorflow, question) for question in pickle.loads(Path(sys.argv[1]).read_bytes())]
    Path(sys.argv[2]).write_bytes(pickle.dumps(found))
