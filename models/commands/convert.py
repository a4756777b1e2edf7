"""`convert`: write a model of any kind as OUT/1, for the embedded servers and TensorFlow Serving."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path

from common.installed import as_typed
from models.convert import convert
from models.convert.rewrite import TARGETS
from models.interface.pixels import PRESETS
from models.interface.wanted import LOGITS, PROBABILITIES, Wanted

PRESETS_HELP = "; ".join(f"{name}: {preset.about}" for name, preset in PRESETS.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the model's path, the folder to write to, and options for what the model's file does not say."""
    add = parser.add_argument
    add("path", type=Path, help="the model's file or folder, or a Cluster Serving config.yaml")
    add("--out", type=Path, required=True, help="folder that gets the model as OUT/1")
    add("--name", help="the model's name in reports (the file's name)")
    add("--labels", type=Path, help="names of the classes in the order of the scores: one a line, or JSON")
    background = parser.add_mutually_exclusive_group().add_argument
    about = "row 0 of the scores is not a class (detected: one score more than labels)"
    background("--background", action="store_true", default=None, help=about)
    background("--no-background", action="store_false", dest="background")
    about = "pixels that the model wants (from the file, else 224x224)"
    add("--size", type=_size, dest="size_px", metavar="HxW", help=about)
    about = (
        "how an image gets these sides: squashed, or the middle 87.5 %% of both sides, or of the shorter one "
        "(as its card says, else squash)"
    )
    add("--fit", choices=("squash", "central_crop", "central_square"), help=about)
    add("--resize", choices=("bilinear", "bicubic", "area"), help="(as its card says, else bilinear)")
    add("--preprocess", choices=tuple(PRESETS), help=PRESETS_HELP)
    add("--scale", type=_number, help="value = (level * SCALE - MEAN) / STD")
    add("--mean", type=_by_channel, help="one number, or red,green,blue")
    add("--std", type=_divisors, help="one number, or red,green,blue")
    add("--layout", choices=("NHWC", "NCHW"))
    add("--channels", choices=("RGB", "BGR"))
    add("--signature", help="of several, the one that takes pixels or images")
    add("--input", help="name of the input (of a GraphDef: of the operation)")
    add("--output", help="name of the output with the scores")
    scores = parser.add_mutually_exclusive_group().add_argument
    about = "the scores are probabilities, or to be taken as they are (tried out)"
    scores("--softmax", action="store_const", const=PROBABILITIES, dest="scores", help=about)
    about = "the scores are logits: softmax is added (tried out)"
    scores("--logits", action="store_const", const=LOGITS, dest="scores", help=about)
    add("--to", choices=TARGETS, help="write it for another runtime, if possible (as it is)")
    add("--photo", type=Path, help="photo that the model is tried with (the sample cat)")


def run(options: argparse.Namespace) -> int:
    """Convert, and print what was read from the file and what was assumed."""
    names = Wanted.__dataclass_fields__.keys() & vars(options).keys()
    wanted = Wanted(**{name: getattr(options, name) for name in names})
    done = convert(options.path, options.out, wanted, print)
    print(f"{done.directory}" + ("" if done.is_new else " (was there already)"))
    serve = ".venv/bin/python -m serving --rest_api_port 8501 --model_base_path"
    print(as_typed(f"Serve it: {serve} {options.out}"))
    return 0


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,4})(?:[x,](\d{1,4}))?", text)
    if not found or not 0 < int(found[1]) <= 4096:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size: HEIGHTxWIDTH in pixels, like 224x224")
    return int(found[1]), int(found[2] or found[1])


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def _divisors(text: str) -> float | tuple[float, ...]:
    values = _by_channel(text)
    if 0 in (values if isinstance(values, tuple) else (values,)):
        raise argparse.ArgumentTypeError(f"{text!r}: a divisor can't be 0")
    return values


def _by_channel(text: str) -> float | tuple[float, ...]:
    try:
        values = tuple(float(number) for number in text.split(","))
    except ValueError:
        values = ()
    if len(values) not in (1, 3) or not all(map(math.isfinite, values)):
        raise argparse.ArgumentTypeError(f"{text!r}: give one number, or three as red,green,blue")
    return values if len(values) == 3 else values[0]
