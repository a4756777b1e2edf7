"""Chooses the signature, input and output of a model through which it classifies images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.interface.wanted import Say, Wanted
from models.problems import ModelProblem
from models.task import NEEDED, are_features, may_be_scores, other_than_classifier
from models.tensors import Signature, Tensor, listed

INPUT_TYPES = {"DT_FLOAT": "float32", "DT_HALF": "float16", "DT_UINT8": "uint8", "DT_INT8": "int8"}
DEFAULT_SIGNATURE = "serving_default"
COLOURS = 3
LAYOUTS = ("NHWC", "NCHW")


@dataclass(frozen=True)
class Ends:
    """The signature to ask, its input for pixels and its output with scores."""

    signature: Signature
    input: Tensor
    output: Tensor


def choose(signatures: Sequence[Signature], wanted: Wanted, labels: int | None, say: Say) -> Ends:
    """The ends that fit, or that the user names; `labels` is the number of labels, if it is known.

    Says which was chosen of several. Raises ModelProblem, with what the model has instead.
    """
    asked = [signature for signature in signatures if wanted.signature in (None, signature.name)]
    if not asked:
        names = ", ".join(signature.name for signature in signatures)
        raise ModelProblem(f"The model has no signature {wanted.signature!r}. It has {names}.")
    fitting = {signature.name: signature for signature in asked if not _why_not(signature, wanted)}
    if not fitting:
        reasons = "; ".join(f"{signature} ({_why_not(signature, wanted)})" for signature in asked)
        raise ModelProblem(f"The model does not take the pixels of images. It has {reasons}.")
    signature = fitting.get(DEFAULT_SIGNATURE) or next(iter(fitting.values()))
    if len(fitting) > 1:
        say(f"signature {signature.name} of {', '.join(fitting)} (--signature)")
    return Ends(signature, signature.inputs[0], scores_of(signature, wanted, labels, say))


def layout_of(tensor: Tensor) -> str | None:
    """NHWC or NCHW, by which axis has size 3; None if the shape leaves it open."""
    if tensor.shape is None or len(tensor.shape) != 4:
        return None
    if tensor.shape[3] == COLOURS:
        return "NHWC"
    return "NCHW" if tensor.shape[1] == COLOURS else None


def sides_of(tensor: Tensor, layout: str) -> tuple[int | None, int | None]:
    """Height and width of an input; None if the model takes any."""
    if tensor.shape is None:
        return None, None
    height, width = tensor.shape[1:3] if layout == "NHWC" else tensor.shape[2:4]
    return height, width


def _why_not(signature: Signature, wanted: Wanted) -> str:
    """Why a signature does not take pixels; empty if it does."""
    names = [tensor.name for tensor in signature.inputs]
    if wanted.input and wanted.input not in names:
        return f"no input {wanted.input!r}"
    if not names:
        return "no input, but one for pixels is needed: export the model with it"
    if len(names) > 1:
        return f"{len(names)} inputs, but only one is allowed: export the model without the others"
    tensor = signature.inputs[0]
    if tensor.dtype not in INPUT_TYPES:
        return f"{tensor.dtype} is not one of {', '.join(INPUT_TYPES)}"
    shape = tensor.shape
    may_be_open = shape is None or (len(shape) == 4 and None in (shape[1], shape[3]))
    if may_be_open or layout_of(tensor):
        return ""
    return f"{tensor} is not [?,height,width,3] or [?,3,height,width]"


def scores_of(signature: Signature, wanted: Wanted, labels: int | None, say: Say) -> Tensor:
    """The output with one score per class; of several, the one with as many as labels, else the largest.

    Raises ModelProblem.
    """
    named = [tensor for tensor in signature.outputs if wanted.output == tensor.name]
    if wanted.output and not named:
        raise ModelProblem(f"The model has no output {wanted.output!r}. It has {listed(signature.outputs)}.")
    if other := other_than_classifier(signature, wanted.output):
        raise ModelProblem(other)
    scores = named or [tensor for tensor in signature.outputs if may_be_scores(tensor)]
    scores = [tensor for tensor in scores if not are_features(tensor)] or scores
    if labels and len(scores) > 1:
        scores = [tensor for tensor in scores if _count(tensor) in (labels, labels + 1)] or scores
    if len(scores) > 1:
        largest = max(scores, key=lambda tensor: _count(tensor) or 0)
        say(f"output {largest.name} of {listed(scores)} (--output)")
        return largest
    if not scores:
        raise ModelProblem(
            f"None of the outputs holds one score per class: {listed(signature.outputs)}. {NEEDED}"
        )
    return scores[0]


def _count(tensor: Tensor) -> int | None:
    """The number of classes by an output's shape; None if it is open."""
    return None if tensor.shape is None else next((size for size in tensor.shape[1:] if size != 1), 1)
