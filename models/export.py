"""Writes the demo model as a servable: whole or not at all, and only when it has to."""

from __future__ import annotations

import fcntl
import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.demo_files import LABELS, WEIGHTS

VERSION = "1"
CARD = Path("assets.extra") / "pixelcost.json"  # TensorFlow Serving ignores files it does not know there
HERE = Path(__file__).parent
# What an exported model and its other formats depend on, beside the weights.
PARTS = (
    LABELS,
    *(HERE / f"{name}.py" for name in ("demo", "export", "demo_formats", "layers", "tflite_file")),
    *(HERE / f"{name}.py" for name in ("onnx_file", "caffe_files", "wire", "torch_files")),
)


@dataclass(frozen=True)
class Exported:
    """Where the servable lies, and whether it had to be written."""

    directory: Path
    is_new: bool


def export_demo(out: Path, weights: Path = WEIGHTS) -> Exported:
    """Make sure that `out/1` holds the demo model of this source tree, or one with other weights.

    The model is written beside its place and renamed into it, so that a server never sees half a
    model and a killed export leaves nothing that looks like one. Raises OSError when `out` can't
    be written or the weights can't be read.
    """
    target = out / VERSION
    made_from = _made_from(weights)
    out.mkdir(parents=True, exist_ok=True)
    with _alone_in(out):
        if _card_of(target).get("made_from") == made_from:
            return Exported(target, is_new=False)
        with tempfile.TemporaryDirectory(prefix=f".{VERSION}-", dir=out) as scratch:
            fresh = Path(scratch) / VERSION
            _write(fresh, weights, made_from)
            if target.exists():
                target.rename(Path(scratch) / "replaced")
            fresh.rename(target)
    return Exported(target, is_new=True)


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """A second export waits, then finds the model there. The lock ends with the process that held it."""
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(directory: Path, weights: Path, made_from: str) -> None:
    from models import demo

    demo.save(directory, weights)
    labels = demo.short_labels()
    card = {
        "name": "demo",
        "title": "Pixelcost demo model",
        "knows": "pets and ten everyday things",
        "classes": len(labels),
        "labels_note": "The first name of each ImageNet class. For anything else the answers mean nothing.",
        "labels": labels,
        "pixels": {  # what demo.decode_images does, for runtimes that do it outside the graph
            "input": "pixels",
            "output": "probabilities",
            "side_px": [demo.SIDE_PX, demo.SIDE_PX],
            "fit": "squash",
            "resize": "bilinear",
            "antialias": True,
        },
        "made_from": made_from,
    }
    path = directory / CARD
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(card, indent=1), encoding="utf-8")


def _made_from(weights: Path) -> str:
    """One hash over everything that the exported model depends on."""
    digest = hashlib.sha256()
    for path in (*PARTS, weights):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _card_of(directory: Path) -> dict[str, object]:
    try:
        card = json.loads((directory / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    whole = (directory / "saved_model.pb").is_file() and (directory / "variables").is_dir()
    return card if whole and isinstance(card, dict) else {}
