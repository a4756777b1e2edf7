"""How numbers, units and names of variants are written in sentences.

The page's static/js/format.js follows the same rules, so that a report reads like the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from experiment.axes import settings_words
from experiment.records import RESOLUTION_MS, BackendInfo, Difference, Share, Variant

# `encoder` of a reference that was not encoded again.
AS_UPLOADED = "as uploaded"
WITHOUT_METADATA = "as uploaded, without metadata"
NOT_ENCODED = frozenset({AS_UPLOADED, WITHOUT_METADATA})
MOST_DECIMALS = 3
NO_LOAD_ON_QUEUES = (
    "a queue takes what its workers can't answer yet, so an offered rate says nothing of them. "
    "`python -m jobs bench` measures how much a queue carries."
)
ENDINGS = {1: "st", 2: "nd", 3: "rd"}
FORMAT_NAMES = {
    "png": "PNG",
    "jpeg": "JPEG",
    "webp": "WebP",
    "webp-lossless": "WebP lossless",
    "avif": "AVIF",
    "heic": "HEIC",
    "gif": "GIF",
    "bmp": "BMP",
}


def number(value: float) -> str:
    """0.4 -> "0.40", 7.234 -> "7.2", 41.3 -> "41", 1234 -> "1,234"."""
    if value < 0.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def one_line(text: str, longest: int = 300) -> str:
    """Another program's message as one printable line of at most `longest` characters."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * longest]).split())
    return plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…"


def milliseconds(value_ms: float) -> str:
    """A time with its unit: "0.40 ms", "7.2 ms", "1,234 ms"."""
    return f"{number(value_ms)} ms"


def beside(value: float, limit: float, decimals: int = 0) -> str:
    """A number with enough decimals (`decimals` to 3) to show on which side of a limit it is.

    >>> beside(50.04, 50)
    '50.04'
    """
    texts = [f"{value:.{places}f}" for places in range(min(decimals, MOST_DECIMALS), MOST_DECIMALS + 1)]
    sides = (value > limit, value < limit)
    return next((text for text in texts if (float(text) > limit, float(text) < limit) == sides), texts[-1])


def above(value: float, limit: float, words: Callable[[float], str], unit: str) -> tuple[str, str]:
    """Two numbers written by `words`, or exactly if they would read alike. The first is the larger one."""
    shown = words(value), words(limit)
    if shown[0] != shown[1]:
        return shown
    return f"{float(beside(value, limit)):,.15g} {unit}", f"{limit:,.15g} {unit}"


def margin_words(margin: float) -> str:
    """Percentage points that a user chose: 2.25 -> "2.25 points", 1 -> "1 point"."""
    return f"{margin:g} point{'' if margin == 1 else 's'}"


def wait(left_s: float) -> str:
    """An estimated waiting time: "9 s", "9 min", "2 h"."""
    for unit_s, unit in ((3600, "h"), (60, "min")):
        if left_s >= 1.5 * unit_s:
            return f"{left_s / unit_s:.0f} {unit}"
    return f"{max(1, round(left_s))} s"


def span(low_ms: float, high_ms: float) -> str:
    """A range of times with its unit: "23.2 to 23.5 ms"."""
    return f"{bounds(low_ms, high_ms)} ms"


def bounds(low_ms: float, high_ms: float) -> str:
    """A range of times without a unit, with enough digits to keep both apart: "23.2 to 23.5"."""
    decimals = 0 if low_ms >= 9.95 else 1
    while decimals < 3 and f"{low_ms:.{decimals}f}" == f"{high_ms:.{decimals}f}":
        decimals += 1
    return f"{low_ms:,.{decimals}f} to {high_ms:,.{decimals}f}"


def size(size_bytes: float) -> str:
    """Decimal units: 812 -> "812 B", 9215 -> "9.2 KB", 2470000 -> "2.5 MB"."""
    if size_bytes < 1000:
        return f"{size_bytes:.0f} B"
    if size_bytes < 999_500:
        return f"{number(size_bytes / 1e3)} KB"
    return f"{number(size_bytes / 1e6)} MB"


def runtime_words(info: BackendInfo) -> str:
    """What the server reported of itself: "OpenVINO 2026.4.1, bf16, avx2, 2 replicas"; "" if nothing."""
    if info.runtime is None:
        return ""
    facts = [
        info.runtime,
        info.precision,
        info.isa,
        info.replicas and info.replicas > 1 and f"{info.replicas} replicas",
        info.device_name,
        info.device_memory_bytes and f"{info.device_memory_bytes / 2**30:.0f} GiB",
    ]
    return ", ".join(str(fact) for fact in facts if fact)


def percent(share: float) -> str:
    """A probability 0..1 in whole percent; a small one is not called nothing."""
    return "< 1 %" if 0 < share < 0.01 else f"{share * 100:.0f} %"


def ratio(more: float, less: float) -> float:
    """`more` over `less`. A latency of 0 is one below the resolution, 0.001 ms."""
    return more / (less or RESOLUTION_MS)


def times(factor: float) -> str:
    """How many times as much: "6.1x", "29x"."""
    return f"{factor:.1f}x" if factor < 9.95 else f"{factor:,.0f}x"


def count(value: int, noun: str) -> str:
    """1 -> "1 request", 2 -> "2 requests"."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """["a", "b", "c"] -> "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def format_name(key: str) -> str:
    """A format's key as people write it: "jpeg" -> "JPEG"."""
    return FORMAT_NAMES.get(key, key.upper())


def reference_name(variant: Variant) -> str:
    """ "original", or "reference (PNG)" if the uploaded file itself could not be sent."""
    return "original" if variant.encoder in NOT_ENCODED else f"reference ({format_name(variant.format)})"


def compared_with(variants: Iterable[Variant]) -> str:
    """What variants are compared with: "original", or "reference" if the original stayed in the browser."""
    is_stand_in = any(variant.is_reference and variant.made_in == "browser" for variant in variants)
    return "reference" if is_stand_in else "original"


def made_as(variant: Variant) -> str:
    """Format and settings that are not the usual ones: "JPEG", "JPEG q50 4:4:4"."""
    return format_name(variant.format) + settings_words(variant)


def kind_name(variant: Variant) -> str:
    """The format in a table: "JPEG", "JPEG q50", "original" or "reference (PNG)"."""
    return reference_name(variant) if variant.is_reference else made_as(variant)


def sized_name(variant: Variant) -> str:
    """ "512 px JPEG", "512 px JPEG q50"."""
    return f"{variant.size_px} px {made_as(variant)}"


def short_name(variant: Variant) -> str:
    """ "512 px JPEG", "the original (1920 px JPEG)" or "the reference (1920 px PNG)"."""
    name = sized_name(variant)
    return f"the {reference_name(variant).partition(' ')[0]} ({name})" if variant.is_reference else name


def full_name(variant: Variant) -> str:
    """The name in a recommendation, with the usual quality too: "512 px JPEG q85"."""
    if variant.is_reference:
        return short_name(variant)
    settings = settings_words(variant, always=frozenset({"quality"}))
    return f"{variant.size_px} px {format_name(variant.format)}{settings}"


def capitalised(text: str) -> str:
    """The text with a capital at its start: "the original" -> "The original"."""
    return text[:1].upper() + text[1:]


def sentence(text: str, capital: bool = True) -> str:
    """The text with a full stop at its end and a capital at its start: "no answer" -> "No answer."."""
    text = capitalised(text.strip()) if capital else text.strip()
    return text + ("" if text.endswith((".", "!", "?", "`")) else ".")


def joined(*parts: str) -> str:
    """The parts that say something, one after another: ["a.", "", "b."] -> "a. b."."""
    return " ".join(part for part in parts if part)


def ordinal(place: int) -> str:
    """1 -> "1st", 2 -> "2nd", 3 -> "3rd", 4 -> "4th"; for the places of a top 5."""
    return f"{place}{ENDINGS.get(place, 'th')}"


def short_label(label: str) -> str:
    """The first of a label's synonyms: "tabby, tabby cat" -> "tabby"."""
    return label.partition(",")[0].strip() or label


def points(value: float) -> str:
    """Percentage points: 0.5 -> "0.5 points", 1 -> "1 point"."""
    words = f"{value:.1f}".removesuffix(".0") if abs(value) >= 0.095 or value == 0 else f"{value:.2f}"
    return f"{words} point{'' if words == '1' else 's'}"


def share_words(share: Share) -> str:
    """ "84.2 % (81.8 to 86.4)"."""
    return f"{share.share * 100:.1f} % ({share.low * 100:.1f} to {share.high * 100:.1f})"


def difference_words(difference: Difference) -> str:
    """ "-0.5 points (-1.2 to 0.3, McNemar p 0.31)"."""
    interval = f"{difference.low_points:.1f} to {difference.high_points:.1f}"
    return f"{difference.points:+.1f} points ({interval}, McNemar p {p_words(difference.mcnemar_p)})"


def p_words(p: float) -> str:
    """0.314 -> "0.31", 0.00002 -> "< 0.001"."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.095 else f"{p:.2f}"
