"""Writes the demo model's pixel part in the formats of other runtimes, beside the SavedModel.

Each takes `pixels` float32 [n, 192, 192, 3] in 0..255 and gives `probabilities` float32 [n, 306];
only Caffe's has its channels first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models import layer_formats
from models.layers import Layers
from models.problems import ModelProblem


class ConverterMissing(ModelProblem):
    """A format needs a package that is not installed. One line a person can act on."""


@dataclass(frozen=True)
class Format:
    """One row: the files of a format, what writes them into a folder, and what that needs."""

    files: tuple[str, ...]  # the one that a server looks for last
    write: Callable[[Path], None]
    install: str = ""


def _tflite(folder: Path) -> None:
    import tensorflow as tf

    from models.demo import SIDE_PX, DemoModel
    from models.layers import PIXELS, PROBABILITIES
    from models.tflite_file import tflite_bytes

    model, stored = DemoModel(), tf.Module()
    stored.variables_of_the_network = list(model.variables)
    spec = tf.TensorSpec([None, SIDE_PX, SIDE_PX, 3], tf.float32, PIXELS)
    classify = tf.function(
        lambda pixels: {PROBABILITIES: model.classify_pixels(pixels)[PROBABILITIES]}, input_signature=[spec]
    )
    (folder / "model.tflite").write_bytes(tflite_bytes(classify.get_concrete_function(), stored))


def _of_layers(write: Callable[[Layers, Path], None]) -> Callable[[Path], None]:
    def write_demo(folder: Path) -> None:
        from models.demo_layers import demo_layers

        write(demo_layers(), folder)

    return write_demo


FORMATS = {
    "tflite": Format(("model.tflite",), _tflite),
    **{
        name: Format(row.files, _of_layers(row.write), row.install)
        for name, row in layer_formats.FORMATS.items()
    },
}


def write_formats(version_directory: Path, names: Sequence[str]) -> list[Path]:
    """Write what is not there yet; gives the files of all. Raises ConverterMissing and OSError.

    A model that was exported anew has no such files: they are never older than the SavedModel.
    """
    for name in names:
        if not all((version_directory / file).is_file() for file in FORMATS[name].files):
            _write(version_directory, name)
    return [version_directory / file for name in names for file in FORMATS[name].files]


def _write(directory: Path, name: str) -> None:
    """Into a folder beside it, then renamed: a server never sees half a file."""
    row = FORMATS[name]
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=directory.parent) as scratch:
        try:
            row.write(Path(scratch))
        except ImportError as problem:
            raise ConverterMissing(f"Writing {name} needs a package ({problem}): {row.install}.") from problem
        for file in row.files:
            (Path(scratch) / file).rename(directory / file)
