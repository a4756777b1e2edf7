"""`train-demo`: make the demo model's weights from photos and a teacher."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.training.recipe import Recipe, has_fast_bfloat16

DEFAULT_WORK = Path("var") / "train-demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to learn from, and where to keep what is done."""
    parser.add_argument(
        "--photos",
        type=Path,
        nargs="+",
        required=True,
        help="folders or ZIP files; named by WordNet id or not",
    )
    parser.add_argument("--teacher", type=Path, required=True, help="an ImageNet classifier as a TFLite file")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="the same one again goes on")
    parser.add_argument(
        "--start", type=Path, metavar="FILE", help="go on from these weights, not random ones"
    )
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)


def run(options: argparse.Namespace) -> int:
    """Train, or go on; the weights lie in WORK/demo_weights_fp16.npz then."""
    from models.training.job import Job

    recipe = Recipe(seed=options.seed, epochs=options.epochs, bfloat16=has_fast_bfloat16())
    if options.start:
        recipe = recipe.for_learned_weights()
    job = Job(options.photos, options.teacher, options.work, recipe, options.start)
    written = job.run(lambda line: print(line, flush=True))
    print(f"weights: {written} ({written.stat().st_size / 1e6:.1f} MB)")
    return 0
