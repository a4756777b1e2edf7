"""The colours, symbols and dashes of every figure. Colour never stands alone.

Each colour reaches a contrast of 3:1 or more against its background (WCAG 1.4.11), and
each backend has a symbol as well, and each format a dash and a filling of that symbol.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "pentagon")
WITH_CROSS = frozenset({"circle", "square", "diamond"})  # plotly.js has these hollow with an x
DASHES = {"jpeg": "solid", "png": "dash", "webp": "dot", "avif": "6px,3px,6px,9px"}
OTHER_DASH = "dashdot"
# Of one backend and format several lines may stand side by side, one for each way of making it.
FURTHER_DASHES = ("longdash", "longdashdot", "10px,3px,2px,3px,2px,3px", "2px,6px", "16px,4px")
DOT = "-dot"  # a solid symbol with a dot of another colour
# "" is solid; a hollow symbol with a cross is a changed answer.
FILLINGS = {"jpeg": "", "png": "-open-dot", "avif": DOT}
OTHER_FILLING = "-open"


@dataclass(frozen=True, slots=True)
class Palette:
    """One theme's colours, as #RRGGBB or rgba()."""

    backends: tuple[str, ...]
    paper: str  # what lies behind the figure; the figure itself is transparent
    ink: str
    muted: str
    grid: str
    halo: str  # the band under the best trade-offs, and goals not met
    preparing: str  # stages before the request
    sending: str
    serving: str  # stages on the server


LIGHT = Palette(
    backends=("#0072B2", "#C2410C", "#00745A", "#7A3E9D"),
    paper="#FFFFFF",
    ink="#1B1F24",
    muted="#57606A",
    grid="#E3E7EB",
    halo="rgba(27, 31, 36, 0.09)",
    preparing="#8A6100",
    sending="#57606A",
    serving="#0B62A4",
)
DARK = Palette(
    backends=("#56B4E9", "#F0A15C", "#3CC8A0", "#C9A0E8"),
    paper="#14171A",
    ink="#E6E9EC",
    muted="#9AA4AE",
    grid="#2C3238",
    halo="rgba(230, 233, 236, 0.11)",
    preparing="#D9AC4A",
    sending="#9AA4AE",
    serving="#6CB6EE",
)


def palette_of(theme: Literal["light", "dark"]) -> Palette:
    """The colours of a theme."""
    return DARK if theme == "dark" else LIGHT


def colour(palette: Palette, index: int) -> str:
    """The colour of the backend at `index`."""
    return palette.backends[index % len(palette.backends)]


def symbol(index: int, format_key: str = "jpeg", kept: bool = True) -> str:
    """The symbol of the backend at `index`, filled as its format is.

    It is hollow and crossed out when the answer changed. With five symbols and four
    colours, twenty backends look different.
    """
    name = SYMBOLS[index % len(SYMBOLS)]
    if kept:
        return name + FILLINGS.get(format_key, OTHER_FILLING)
    return f"{name}-x-open" if name in WITH_CROSS else f"{name}-open"


def outline(palette: Palette, own: str, format_key: str) -> dict[str, Any]:
    """The line around a symbol of the colour `own`, and of the dot in it, which must not be of that colour.

    Hollow symbols are drawn in `own` whatever this says.
    """
    return {"width": 1.5, "color": palette.paper if FILLINGS.get(format_key) == DOT else own}


def dash(format_key: str, nth: int = 0) -> str:
    """The line of a format; of its `nth` way of making where there are several."""
    if nth:
        return FURTHER_DASHES[(nth - 1) % len(FURTHER_DASHES)]
    return DASHES.get(format_key, OTHER_DASH)
