"""EfficientNet-Lite's logits for ten photos of scikit-image.

    python -m tests.support.models.efficientnet_logits NETWORK OUT

NETWORK is `ours`, or `torch`: the network of efficientnet-lite-pytorch, which the weights were made for, with
PyTorch's own reader. tests/models/golden/efficientnet_lite.npz is what `torch` wrote, with torch 2.13.0 and
efficientnet-lite-pytorch 0.1.0; neither is needed otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from models.catalogue.packaged import weights_file
from models.catalogue.table import Row, row

NAMES = ("efficientnet-lite0", "efficientnet-lite2")
PHOTOS = (
    *("astronaut", "brick", "camera", "chelsea", "clock_motion"),
    *("coffee", "coins", "grass", "gravel", "motorcycle_left"),
)
GOLDEN = Path(__file__).parents[2] / "models" / "golden" / "efficientnet_lite.npz"


def photos(side_px: int) -> np.ndarray:
    """Levels float32 [10, side, side, 3]: every n-th pixel, the middle. Exact, as nothing is computed."""
    folder = Path(str(find_spec("skimage").submodule_search_locations[0])) / "data"
    return np.stack([_middle(folder / f"{name}.png", side_px) for name in PHOTOS])


def _middle(file: Path, side_px: int) -> np.ndarray:
    with Image.open(file) as opened:
        levels = np.asarray(opened.convert("RGB"), np.float32)
    step = min(levels.shape[:2]) // side_px
    levels = levels[::step, ::step]
    top, left = ((size - side_px) // 2 for size in levels.shape[:2])
    return levels[top : top + side_px, left : left + side_px]


def ours(model: Row, levels: np.ndarray) -> np.ndarray:
    """[10, 1000], of the network that Pixelcost serves, without its softmax."""
    from models.catalogue.efficientnet_lite import SIZES, build
    from models.catalogue.torch_state import read_state
    from models.layer_graph import LayerGraph
    from models.layers import Layers

    whole = build(SIZES[model.name], read_state(weights_file(model).read_bytes()))
    assert whole.layers[-1].kind == "softmax"
    return LayerGraph(Layers(whole.layers[:-1], whole.sides_px))(levels).numpy()


def torchs(model: Row, levels: np.ndarray) -> np.ndarray:
    """[10, 1000], of the network that the weights were made for."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name(model.name)
    network.load_state_dict(torch.load(weights_file(model), weights_only=True))
    values = torch.tensor((levels - 127) / 128).permute(0, 3, 1, 2)
    with torch.no_grad():
        return network.eval()(values).numpy()


NETWORKS: dict[str, Callable[[Row, np.ndarray], np.ndarray]] = {"ours": ours, "torch": torchs}


if __name__ == "__main__":
    network, out = NETWORKS[sys.argv[1]], sys.argv[2]
    np.savez_compressed(out, **{name: network(row(name), photos(row(name).side_px)) for name in NAMES})
