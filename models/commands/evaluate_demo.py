"""`evaluate-demo`: how often the demo model is right, agrees with its teacher, and how sure it is."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model, and on which photos."""
    parser.add_argument("--model", type=Path, required=True, help="as `demo` exports it: DIR/1")
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="folders, ZIP files, photos")
    parser.add_argument("--teacher", type=Path, required=True, help="an ImageNet classifier as a TFLite file")
    parser.add_argument("--only", type=Path, help="a list of photos, as train-demo writes held_out.txt")


def run(options: argparse.Namespace) -> int:
    """One block of figures for each source of photos."""
    from models.demo import labels
    from models.training.evaluation import ask, lines
    from models.training.photos import files

    names = options.only.read_text(encoding="utf-8").splitlines() if options.only else None
    for source in options.photos:
        chosen = (file for file in files([source]) if names is None or file.name in names)
        answers = ask(options.model, options.teacher, chosen)
        print(f"{source.name}: {len(answers)} photos")
        if not len(answers):
            continue
        print("\n".join(lines(answers, labels())), flush=True)
    return 0
