"""The same network for another runtime: `--to`, through TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.convert.formats import FORMATS, OF_LAYERS, Format
from models.formats.kinds import Found, find
from models.interface.ends import choose
from models.interface.hints import hints_of, of_layers
from models.interface.labels import label_count
from models.interface.pixels import Hints
from models.interface.wanted import Say, ScoresOf, Wanted
from models.problems import ModelProblem, first_line

TENSORFLOW, TFLITE, OPENVINO = "tensorflow", "tflite", "openvino"
TARGETS = (TENSORFLOW, *FORMATS)
# What OpenVINO's, TensorFlow's and ONNX's converters say of what they don't know, among much else.
TELLING = re.compile(r"\b((?:No conversion rule|Custom op|Flex op|No Op registered).*?)\W*$", re.MULTILINE)


class Rewritten(NamedTuple):
    """A model in another format, what is still known of it, and what the user still wants of it."""

    found: Found
    hints: Hints
    wanted: Wanted
    scores_of: ScoresOf | None = None  # what the former model answers; None: it was not computed


def rewritten(found: Found, wanted: Wanted, scratch: Path, say: Say) -> Rewritten:
    """`found` in the format `wanted.to`, in the folder `scratch`. Raises ModelProblem where that can't be."""
    target = str(wanted.to)
    if found.kind.name == FORMATS[target].kind:
        return Rewritten(found, hints_of(found), wanted)
    if found.kind.name == "ONNX" and target == OPENVINO:
        return _openvino_of_onnx(found, wanted, scratch)
    if target not in OF_LAYERS:
        return _of_function(found, target, wanted, scratch, say)
    return _of_layers(_of_function(found, TFLITE, wanted, scratch, say), target, scratch)


def _of_function(found: Found, target: str, wanted: Wanted, scratch: Path, say: Say) -> Rewritten:
    """The network as it is: what comes before and behind it stands on the card."""
    from models.convert import as_graph  # imports TensorFlow

    if found.kind.name not in as_graph.LOAD:
        raise ModelProblem(f"--to {target}: there is no way from {found.kind.name} to it here.")
    network = as_graph.loaded(found, wanted, say)
    ends = choose(network.signatures, wanted, label_count(wanted, network.hints.labels), say)
    row, (function, owner) = FORMATS[target], as_graph.as_function(network, ends)
    file = _written(found, target, scratch / row.file, lambda file: row.write(function, owner, file))

    def scores_of(values: np.ndarray) -> np.ndarray:
        scores: np.ndarray = function(values)[ends.output.name].numpy()
        return scores

    return Rewritten(find(file), network.hints, _without_ends(wanted), scores_of)


def _of_layers(made: Rewritten, target: str, scratch: Path) -> Rewritten:
    """Of a TFLite file."""
    from models.networks.tflite_layers import layers_of

    network, row = layers_of(made.found.path), FORMATS[target]
    file = _written(made.found, target, scratch / row.file, lambda file: row.write(network, file))
    hints = of_layers(made.hints, network.sides_px)
    return made._replace(found=find(file), hints=hints, wanted=replace(made.wanted, layout=None))


def _openvino_of_onnx(found: Found, wanted: Wanted, scratch: Path) -> Rewritten:
    import openvino

    file = scratch / FORMATS[OPENVINO].file
    openvino.save_model(openvino.convert_model(found.path), file, compress_to_fp16=False)
    return Rewritten(find(file), hints_of(found), wanted)


def _written(found: Found, target: str, file: Path, write: Callable[[Path], None]) -> Path:
    row: Format = FORMATS[target]
    try:
        write(file)
    except ImportError as problem:
        raise ModelProblem(
            f"--to {target} needs a package that is not installed ({problem}). Get it with {row.install}."
        ) from problem
    except Exception as problem:  # the converters raise what they like
        telling = TELLING.search(str(problem))
        reason = f"{telling[1]}." if telling else first_line(problem)
        raise ModelProblem(f"{found.path} can't be written as {row.kind}: {reason}") from problem
    return file


def _without_ends(wanted: Wanted) -> Wanted:
    """The names were those of the former file."""
    return replace(wanted, signature=None, input=None, output=None)
