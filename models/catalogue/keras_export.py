"""Exports a model of keras.applications, with its own preprocessing and ImageNet's labels."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from models.catalogue import imagenet
from models.catalogue.table import Row
from models.placing import VERSION, Exported, card_of, hash_of, place, refuse_patterns
from models.problems import ModelProblem

HERE = Path(__file__).parents[1]
SOURCES = (
    *("catalogue/keras_export.py", "catalogue/imagenet.py", "catalogue/imagenet_labels.txt"),
    *("image_model.py", "warmup_requests.py", "placing.py"),
)


@dataclass(frozen=True)
class Weights:
    """Where the numbers come from: a file, or else a seed."""

    path: Path | None = None
    seed: int | None = None
    is_published: bool = False  # the file that the catalogue names

    def identity(self, row: Row) -> str:
        """The same for the same numbers. Published weights need not be there: their checksum is known."""
        if self.is_published:
            return f"published {row.weights} {row.checksum}"
        if self.path is None:
            return f"seed {self.seed}"
        with self.path.open("rb") as file:
            return f"sha256 {hashlib.file_digest(file, 'sha256').hexdigest()}"


def made_from(row: Row, weights: Weights) -> str:
    """One hash over everything that the exported model depends on."""
    sources = [HERE / name for name in SOURCES]
    return hash_of(sources, repr(row), version("keras"), weights.identity(row))


def is_exported(row: Row, out: Path, weights: Weights) -> bool:
    """Whether `out/1` holds it already."""
    return card_of(out / VERSION).get("made_from") == made_from(row, weights)


def export_keras(row: Row, out: Path, weights: Weights) -> Exported:
    """Make sure that `out/1` holds the model with these weights.

    Raises OSError when `out` can't be written, ModelProblem when the weights don't fit the model.
    """
    refuse_patterns(out)
    return place(out, row.name, made_from(row, weights), lambda directory: _write(directory, row, weights))


def _write(directory: Path, row: Row, weights: Weights) -> dict[str, object]:
    from models.image_model import ImageModel
    from models.warmup_requests import write_warmup_requests

    network = build(row, weights.seed)
    if weights.path is not None:
        _load(network, row, weights.path)
    labels = imagenet.labels()
    variables = [each.value for each in network.variables]
    model = ImageModel(
        lambda pixels: _probabilities(row, network, pixels), labels, (row.side_px, row.side_px), variables
    )
    model.save(directory)
    write_warmup_requests(directory, row.name)
    is_random = weights.path is None
    return {
        "name": row.name,
        "title": f"{row.title} with random weights" if is_random else row.title,
        "weights": weights.identity(row),
        **imagenet.card_sections(),
        **({"knows": "nothing: its answers are noise"} if is_random else {}),
        "pixels": model.pixels_section(),
    }


def build(row: Row, seed: int | None = None) -> Any:
    """The network, a keras.Model, with its initial weights: softmax over 1000 classes."""
    import keras

    if seed is not None:
        keras.utils.set_random_seed(seed)
    function = getattr(keras.applications, row.application.partition(".")[2])
    return function(weights=None, input_shape=(row.side_px, row.side_px, 3), classes=1000)


def preprocess(row: Row, pixels: Any) -> Any:
    """Pixels in 0..255 as the network wants them, by Keras' own `preprocess_input`."""
    from keras import applications

    module = getattr(applications, row.application.partition(".")[0])
    return module.preprocess_input(pixels)


def _probabilities(row: Row, network: Any, pixels: Any) -> Any:
    return network(preprocess(row, pixels), training=False)


def _load(network: Any, row: Row, path: Path) -> None:
    try:
        with warnings.catch_warnings(
            action="ignore"
        ):  # one for each layer that the file lacks; then it raises
            network.load_weights(path)
    except Exception as problem:  # Keras and h5py raise what they like for another file
        first_line = next(iter(str(problem).splitlines()), type(problem).__name__)
        why = first_line.partition(" Example error message")[0].rstrip(".")
        raise ModelProblem(
            f"{path} holds no weights of {row.title}: {why}.\n"
            f"Give a file that Keras wrote for keras.applications.{row.application.partition('.')[2]} with "
            "1000 classes: .h5 or .weights.h5."
        ) from problem
