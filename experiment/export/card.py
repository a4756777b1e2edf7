"""card(): a run as a picture of 1200 x 630 px, which others show beside a link to it: chats, pull requests.

Drawn from the exported report and its small pictures, which must be our own WebP: nothing else is decoded.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from experiment.export.filmstrip import Filmstrip, Frame, filmstrip
from experiment.figures.view import Point, View, view_of
from experiment.records import Thumb
from experiment.wording import milliseconds, percent, ratio, short_label, size, times

WIDTH_PX: Final = 1200
HEIGHT_PX: Final = 630
MEDIA_TYPE: Final = "image/png"
MOST_FRAMES: Final = 7
_MARGIN_PX, _BOX_PX, _GAP_PX = 48, 144, 16
_SENTENCE_LINES = 2
_PAPER, _CARD, _INK, _MUTED = "#0d0f11", "#1c2024", "#e6e9ec", "#9aa4ae"
_ACCENT, _GOOD, _BAD, _LINE = "#56b4e9", "#3cc8a0", "#ff6b60", "#3a4149"


@dataclass(frozen=True, slots=True)
class Number:
    """One of the large numbers, with what it counts below it."""

    text: str
    below: str


def card(report: Mapping[str, Any], pictures: Mapping[str, Thumb]) -> bytes:
    """The PNG file. A report without pictures, or of a photo set, gets its sentence and numbers alone."""
    view = view_of(report)
    image = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), _PAPER)
    draw = ImageDraw.Draw(image)
    _brand(draw, str(report["source"]["name"]))
    _sentence(draw, view.recommendation.sentence)
    _numbers(draw, list(numbers(view)))
    strip = filmstrip(view, report)
    if strip is not None:
        _strip(image, draw, frames_of(strip, pictures), pictures)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def numbers(view: View) -> Iterator[Number]:
    """How much smaller, how fast, and whether the answer stays; none without a recommendation."""
    chosen = (view.recommendation.variant_id, view.recommendation.backend_name)
    point = next((each for each in view.points if each.key == chosen), None)
    if point is None:
        return
    reference = point.reference
    original = view.variants[0]
    if not point.variant.is_reference:
        smaller = ratio(original.size_bytes, point.variant.size_bytes)
        yield Number(times(smaller), f"fewer bytes: {size(point.variant.size_bytes)}")
    faster = 0.0 if reference is None or not reference.p50_ms else ratio(reference.p50_ms, point.p50_ms)
    if faster > 1.05:
        yield Number(times(faster), f"faster: {milliseconds(point.p50_ms)}, the median")
    else:
        yield Number(milliseconds(point.p50_ms), "the median request")
    yield _answer_number(view, point)


def _answer_number(view: View, point: Point) -> Number:
    if view.photo_set is not None:
        share = "unknown" if point.score is None else percent(point.score)
        return Number(share, "right answers" if view.is_accuracy else "same answers")
    label = short_label(point.answer) or "no label"
    if point.is_kept is None:
        return Number(label, "the answer")
    words = ("right", "wrong") if view.is_accuracy else ("the same", "another")
    return Number(label, f"{words[not point.is_kept]} answer")


def frames_of(strip: Filmstrip, pictures: Mapping[str, Thumb]) -> list[Frame]:
    """At most MOST_FRAMES of the strip that have a picture: the ends, what is recommended, and the flip."""
    frames = [frame for frame in strip.frames if frame.key in pictures]
    flip = next((place for place, frame in enumerate(frames) if frame.is_kept is False), None)
    wanted = [0, len(frames) - 1, *(place for place, frame in enumerate(frames) if frame.is_chosen)]
    wanted += [] if flip is None else [flip, flip - 1]
    step = max(1, (len(frames) - 1) / (MOST_FRAMES - 1))
    wanted += [round(step * number) for number in range(MOST_FRAMES)]
    places = list(dict.fromkeys(place for place in wanted if 0 <= place < len(frames)))
    return [frames[place] for place in sorted(places[:MOST_FRAMES])]


@cache
def _font(size_px: int) -> Any:
    return ImageFont.load_default(size_px)


def _brand(draw: ImageDraw.ImageDraw, name: str) -> None:
    draw.rounded_rectangle((48, 36, 88, 76), 9, _ACCENT)
    for box in ((55, 46, 70, 61), (73, 54, 80, 61), (73, 64, 77, 68)):
        draw.rectangle(box, "#0a1a24")
    draw.text((104, 38), "Pixelcost", _INK, _font(30), stroke_width=0.5)
    shown = _cut(draw, name, _font(22), 640)
    draw.text((WIDTH_PX - _MARGIN_PX, 46), shown, _MUTED, _font(22), anchor="ra")


def _sentence(draw: ImageDraw.ImageDraw, sentence: str) -> None:
    font = _font(42)
    for number, line in enumerate(_lines(draw, sentence, font, WIDTH_PX - 2 * _MARGIN_PX)):
        draw.text((_MARGIN_PX, 98 + 52 * number), line, _INK, font, stroke_width=0.7)


def _numbers(draw: ImageDraw.ImageDraw, found: list[Number]) -> None:
    width_px = (WIDTH_PX - 2 * _MARGIN_PX) // 3
    for place, each in enumerate(found):
        left = _MARGIN_PX + place * width_px
        text = _cut(draw, each.text, _font(62), width_px - 20)
        draw.text((left, 216), text, _ACCENT, _font(62), stroke_width=1)
        draw.text((left, 296), _cut(draw, each.below, _font(24), width_px - 20), _MUTED, _font(24))


def _strip(
    image: Image.Image, draw: ImageDraw.ImageDraw, frames: list[Frame], pictures: Mapping[str, Thumb]
) -> None:
    for place, frame in enumerate(frames):
        left, top = _MARGIN_PX + place * (_BOX_PX + _GAP_PX), 352
        colour = _BAD if frame.is_kept is False else _GOOD if frame.is_chosen else _LINE
        draw.rounded_rectangle(
            (left - 4, top - 4, left + _BOX_PX + 4, top + _BOX_PX + 4), 8, _CARD, colour, 4
        )
        _paste(image, pictures[frame.key], left, top)
        ink = _BAD if frame.is_kept is False else _INK
        mark = {True: "same: ", False: "now: ", None: ""}[frame.is_kept]
        draw.text((left, top + _BOX_PX + 12), f"{frame.size_px} px", _INK, _font(23), stroke_width=0.4)
        draw.text((left, top + _BOX_PX + 42), size(frame.size_bytes), _MUTED, _font(20))
        answer = f"{mark}{frame.answer}" if frame.answer else "no answer"
        draw.text((left, top + _BOX_PX + 70), _cut(draw, answer, _font(18), _BOX_PX + 8), ink, _font(18))


def _paste(image: Image.Image, picture: Thumb, left: int, top: int) -> None:
    """The picture in its box, small ones enlarged pixel by pixel: that is what the model gets."""
    with Image.open(io.BytesIO(picture.data), formats=["WEBP"]) as opened:
        scale = _BOX_PX / max(opened.size)
        filter_ = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
        sides = tuple(max(1, round(side * scale)) for side in opened.size)
        shown = opened.convert("RGB").resize((sides[0], sides[1]), filter_)
    image.paste(shown, (left + (_BOX_PX - shown.width) // 2, top + (_BOX_PX - shown.height) // 2))


def _lines(draw: ImageDraw.ImageDraw, text: str, font: Any, width_px: int) -> list[str]:
    """The text in lines of that width, the last one cut."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(lines) < _SENTENCE_LINES and lines[-1] and draw.textlength(longer, font) > width_px:
            lines.append(word)
        else:
            lines[-1] = longer
    return [_cut(draw, line, font, width_px) for line in lines]


def _cut(draw: ImageDraw.ImageDraw, text: str, font: Any, width_px: int) -> str:
    """The text as far as it fits, with an ellipsis where it does not."""
    text = text[:300]
    if draw.textlength(text, font) <= width_px:
        return text
    while text and draw.textlength(f"{text}…", font) > width_px:
        text = text[:-1]
    return f"{text.rstrip()}…"
