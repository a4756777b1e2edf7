"""Exports a model of keras.applications, with its own preprocessing and ImageNet's labels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from common.words import first_line
from models.catalogue import imagenet
from models.catalogue.table import Row
from models.placing import VERSION, Placed, card_of, hash_of, place, refuse_patterns
from models.problems import ModelProblem

HERE = Path(__file__).parents[1]
SOURCES = (
    *("catalogue/keras_export.py", "catalogue/imagenet.py", "catalogue/imagenet_labels.txt"),
    *("image_model.py", "warmup_requests.py", "placing.py"),
)


@dataclass(frozen=True)
class Weights:
    """Where a model's weights come from: a file, or else a seed for random ones."""

    path: Path | None = None
    seed: int | None = None
    is_published: bool = False  # the file that the catalogue names

    def identity(self, row: Row) -> str:
        """A text that is the same for the same weights. Published ones are known by their checksum."""
        if self.is_published:
            return f"published {row.weights} {row.checksum}"
        if self.path is None:
            return f"seed {self.seed}"
        return f"sha256 {hash_of([self.path])}"


def made_from(row: Row, weights: Weights) -> str:
    """One hash over everything that the exported model depends on."""
    sources = [HERE / name for name in SOURCES]
    return hash_of(sources, repr(row), version("keras"), weights.identity(row))


def is_exported(row: Row, out: Path, weights: Weights) -> bool:
    """Whether `out/1` holds the model with these weights already."""
    return card_of(out / VERSION).get("made_from") == made_from(row, weights)


def export_keras(row: Row, out: Path, weights: Weights) -> Placed:
    """Make sure that `out/1` holds the model with these weights.

    Raises OSError when `out` can't be written, ModelProblem when the weights don't fit the model.
    """
    refuse_patterns(out)
    return place(out, row.name, made_from(row, weights), lambda directory: _write(directory, row, weights))


def _write(directory: Path, row: Row, weights: Weights) -> dict[str, object]:
    import keras

    from models.image_model import ImageModel
    from models.warmup_requests import write_warmup_requests

    module, _, function = row.application.partition(".")
    if weights.seed is not None:
        keras.utils.set_random_seed(weights.seed)
    network = getattr(keras.applications, function)(
        weights=None, input_shape=(row.side_px, row.side_px, 3), classes=1000
    )
    if weights.path is not None:
        _load(network, row, weights.path)
    preprocess = getattr(keras.applications, module).preprocess_input
    model = ImageModel(
        lambda pixels: network(preprocess(pixels), training=False),
        imagenet.labels(),
        (row.side_px, row.side_px),
        [variable.value for variable in network.variables],
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


def _load(network: Any, row: Row, path: Path) -> None:
    try:
        with warnings.catch_warnings(
            action="ignore"
        ):  # Keras warns of missing layers one by one, then raises
            network.load_weights(path)
    except Exception as problem:  # Keras and h5py raise errors of many types for another file
        said = str(problem).partition(" Example error message")[0]
        why = first_line(said, type(problem).__name__).rstrip(".")
        raise ModelProblem(
            f"{path} holds no weights of {row.title}: {why}.\n"
            f"Give a file that Keras wrote for keras.applications.{row.application.partition('.')[2]} with "
            "1000 classes: .h5 or .weights.h5."
        ) from problem
