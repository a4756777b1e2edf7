"""Which signature, input and output of a model are those of a classifier of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.interface.preprocess import INPUT_TYPES
from models.interface.wanted import Say, Wanted
from models.problems import ModelProblem
from models.task import NEEDED, are_features, may_be_scores, other_than_classifier
from models.tensors import Signature, Tensor, listed

DEFAULT_SIGNATURE = "serving_default"
COLOURS = 3
LAYOUTS = ("NHWC", "NCHW")


@dataclass(frozen=True)
class Ends:
    """Where the pixels go in and the scores come out."""

    signature: Signature
    input: Tensor
    output: Tensor


def choose(signatures: Sequence[Signature], wanted: Wanted, labels: int | None, say: Say) -> Ends:
    """Raises ModelProblem with what the model has instead, or between what to choose."""
    asked = [each for each in signatures if wanted.signature in (None, each.name)]
    if not asked:
        names = ", ".join(each.name for each in signatures)
        raise ModelProblem(f"The model has no signature {wanted.signature!r}. It has {names}.")
    fitting = [each for each in asked if not _why_not(each, wanted)]
    if not fitting:
        reasons = "; ".join(f"{each} ({_why_not(each, wanted)})" for each in asked)
        raise ModelProblem(f"The model can't be asked with the pixels of images. It has {reasons}.")
    signature = next((each for each in fitting if each.name == DEFAULT_SIGNATURE), fitting[0])
    if len(fitting) > 1:
        say(f"signature {signature.name} of {', '.join(each.name for each in fitting)} (--signature)")
    return Ends(signature, signature.inputs[0], scores_of(signature, wanted, labels, say))


def layout_of(tensor: Tensor) -> str | None:
    """NHWC or NCHW by where the three colours are; None where the shape leaves it open."""
    if tensor.shape is None or len(tensor.shape) != 4:
        return None
    if tensor.shape[3] == COLOURS:
        return "NHWC"
    return "NCHW" if tensor.shape[1] == COLOURS else None


def sides_of(tensor: Tensor, layout: str) -> tuple[int | None, int | None]:
    """Height and width; None where any is taken."""
    if tensor.shape is None:
        return None, None
    height, width = tensor.shape[1:3] if layout == "NHWC" else tensor.shape[2:4]
    return height, width


def _why_not(signature: Signature, wanted: Wanted) -> str:
    """Why a signature takes no pixels; empty when it does."""
    names = [tensor.name for tensor in signature.inputs]
    if wanted.input and wanted.input not in names:
        return f"no input {wanted.input!r}"
    if not names:
        return "no input, where the pixels are wanted: export the model with one"
    if len(names) > 1:
        return f"{len(names)} inputs, where one is wanted: export the model without the others"
    tensor = signature.inputs[0]
    if tensor.dtype not in INPUT_TYPES:
        return f"{tensor.dtype} is not one of {', '.join(INPUT_TYPES)}"
    return "" if _may_be_image(tensor) else f"{tensor} is not [?,height,width,3] or [?,3,height,width]"


def _may_be_image(tensor: Tensor) -> bool:
    if tensor.shape is None or layout_of(tensor):
        return True
    return len(tensor.shape) == 4 and None in (tensor.shape[1], tensor.shape[3])


def scores_of(signature: Signature, wanted: Wanted, labels: int | None, say: Say) -> Tensor:
    """The output with one score per class. Raises ModelProblem."""
    named = [each for each in signature.outputs if wanted.output == each.name]
    if wanted.output and not named:
        raise ModelProblem(f"The model has no output {wanted.output!r}. It has {listed(signature.outputs)}.")
    if other := other_than_classifier(signature, wanted.output):
        raise ModelProblem(other)
    scores = named or [each for each in signature.outputs if may_be_scores(each)]
    scores = [each for each in scores if not are_features(each)] or scores
    if labels and len(scores) > 1:
        scores = [each for each in scores if _count(each) in (labels, labels + 1)] or scores
    if len(scores) > 1:
        largest = max(scores, key=lambda each: _count(each) or 0)
        say(f"output {largest.name} of {listed(scores)} (--output)")
        return largest
    if not scores:
        raise ModelProblem(
            f"None of the outputs holds one score per class: {listed(signature.outputs)}. {NEEDED}"
        )
    return scores[0]


def _count(tensor: Tensor) -> int | None:
    """How many classes, where the shape says it."""
    return None if tensor.shape is None else next((size for size in tensor.shape[1:] if size != 1), 1)
