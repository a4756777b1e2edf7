"""Exports the demo model."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from models.demo_files import IMAGENET_INDEX, WEIGHTS
from models.placing import Exported, hash_of, place, refuse_patterns

HERE = Path(__file__).parent
SOURCES = (
    "export.py",
    "demo.py",
    "image_model.py",
    "imagenet.py",
    "imagenet_labels.txt",
    "warmup_requests.py",
    "placing.py",
)


def export_demo(out: Path, weights: Path = WEIGHTS) -> Exported:
    """Make sure that `out/1` holds the demo model of this source tree, or one with other weights.

    Raises OSError and ModelProblem.
    """
    refuse_patterns(out)
    made_from = hash_of((*(HERE / name for name in SOURCES), IMAGENET_INDEX, weights))
    return place(out, "demo", made_from, partial(_write, weights))


def _write(weights: Path, directory: Path) -> dict[str, object]:
    from models import demo
    from models.warmup_requests import write_warmup_requests

    model = demo.DemoModel(weights)
    model.save(directory)
    write_warmup_requests(directory, "demo")
    labels = demo.labels()
    return {
        "name": "demo",
        "title": "Pixelcost demo model",
        "knows": "pets and ten everyday things",
        "classes": len(labels),
        "labels_note": "The first name of each ImageNet class, in brackets what tells two alike apart. "
        "For anything else the answers mean nothing.",
        "labels": labels,
        "wnids": demo.wordnet_ids(),
        "pixels": model.pixels_section(),
    }
