"""`convert`: make OUT/1 of a model of any kind, for the embedded servers and TensorFlow Serving."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path

from models.convert.rewrite import TARGETS
from models.interface.preprocess import PRESETS
from models.interface.wanted import LOGITS, PROBABILITIES, Wanted

PRESETS_HELP = "; ".join(f"{name}: {preset.about}" for name, preset in PRESETS.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to convert, where to, and what its file does not say."""
    parser.add_argument(
        "path", type=Path, help="the model's file or folder, or a Cluster Serving config.yaml"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder that gets the model as OUT/1")
    parser.add_argument("--name", help="what the report calls it (the file's name)")
    parser.add_argument(
        "--labels", type=Path, help="names of the classes in the order of the scores: one a line, or JSON"
    )
    background = parser.add_mutually_exclusive_group()
    background.add_argument(
        "--background",
        action="store_true",
        default=None,
        help="row 0 of the scores is not a class (detected: one score more than labels)",
    )
    background.add_argument("--no-background", action="store_false", dest="background")
    parser.add_argument(
        "--size",
        type=_size,
        dest="size_px",
        metavar="HxW",
        help="pixels that the model wants (from the file, else 224x224)",
    )
    parser.add_argument(
        "--fit",
        choices=("squash", "central_crop", "central_square"),
        help="to these sides: squashed, or the middle 87.5 %% of both sides, or of the shorter one (as "
        "its card says, else squash)",
    )
    parser.add_argument(
        "--resize", choices=("bilinear", "bicubic", "area"), help="(as its card says, else bilinear)"
    )
    parser.add_argument("--preprocess", choices=tuple(PRESETS), help=PRESETS_HELP)
    parser.add_argument("--scale", type=_number, help="value = (level * SCALE - MEAN) / STD")
    parser.add_argument("--mean", type=_by_channel, help="one number, or red,green,blue")
    parser.add_argument("--std", type=_divisors, help="one number, or red,green,blue")
    parser.add_argument("--layout", choices=("NHWC", "NCHW"))
    parser.add_argument("--channels", choices=("RGB", "BGR"))
    parser.add_argument("--signature", help="of several, the one that takes pixels or images")
    parser.add_argument("--input", help="name of the input (of a GraphDef: of the operation)")
    parser.add_argument("--output", help="name of the output with the scores")
    scores = parser.add_mutually_exclusive_group()
    scores.add_argument(
        "--softmax",
        action="store_const",
        const=PROBABILITIES,
        dest="scores",
        help="the scores are probabilities, or to be taken as they are (tried out)",
    )
    scores.add_argument(
        "--logits",
        action="store_const",
        const=LOGITS,
        dest="scores",
        help="the scores are logits: softmax is added (tried out)",
    )
    parser.add_argument("--to", choices=TARGETS, help="write it for another runtime, if possible (as it is)")
    parser.add_argument("--photo", type=Path, help="what the model is tried with (the sample cat)")


def run(options: argparse.Namespace) -> int:
    """Convert, saying what was read and assumed on the way."""
    from models.convert import convert

    names = Wanted.__dataclass_fields__.keys() & vars(options).keys()
    done = convert(
        options.path, options.out, Wanted(**{name: getattr(options, name) for name in names}), print
    )
    was_there = "" if done.is_new else " (was there already)"
    print(f"{done.directory}{was_there}")
    print(f"Serve it: .venv/bin/python -m serving --rest_api_port 8501 --model_base_path {options.out}")
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
        raise argparse.ArgumentTypeError(f"{text!r}: nothing can be divided by 0")
    return values


def _by_channel(text: str) -> float | tuple[float, ...]:
    try:
        values = tuple(float(each) for each in text.split(","))
    except ValueError:
        values = ()
    if len(values) not in (1, 3) or not all(map(math.isfinite, values)):
        raise argparse.ArgumentTypeError(f"{text!r}: give one number, or three as red,green,blue")
    return values if len(values) == 3 else values[0]
