"""`export`: write a model of the catalogue as DIR/1, a SavedModel for any TensorFlow Serving."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.catalogue.keras_export import Weights, export_keras, is_exported
from models.catalogue.packaged import export_packaged
from models.catalogue.table import Row, row
from models.commands.fetch import add_fetch_options, fetched
from models.problems import ModelProblem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the model's name, the folder to write to, the weights and the options of a download."""
    add = parser.add_argument
    add("name", help="a name of `list`")
    add("--out", type=Path, required=True, metavar="DIR", help="the SavedModel becomes DIR/1")
    weights = parser.add_mutually_exclusive_group().add_argument
    weights("--weights", type=Path, metavar="FILE", help="Keras weights instead of the published ones")
    weights("--random", type=_seed, metavar="SEED", help="random weights: right in speed, not in answers")
    add("--quiet", action="store_true", help="print only the progress of a download")
    add_fetch_options(parser)


def run(options: argparse.Namespace) -> int:
    """Export, download the published weights if they are needed, and print the SavedModel's path."""
    model = row(options.name)
    if not model.package:
        exported = export_keras(model, options.out, _weights(model, options))
    elif options.weights or options.random is not None:
        raise ModelProblem(f"{model.title} brings its own weights: leave out --weights and --random.")
    else:
        exported = export_packaged(model, options.out)
    if not options.quiet:
        print(f"{model.title}: {exported.directory}" + ("" if exported.is_new else " (was there already)"))
    return 0


def _weights(model: Row, options: argparse.Namespace) -> Weights:
    if options.random is not None:
        return Weights(seed=options.random)
    if options.weights:
        return Weights(options.weights)
    if is_exported(model, options.out, Weights(is_published=True)):
        return Weights(is_published=True)  # works offline, even if the download was deleted
    return Weights(fetched(model, options), is_published=True)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text[:12]) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {2**32 - 1}")
    return int(text)
