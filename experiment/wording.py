"""How numbers and things are written in sentences. Formatting happens here and nowhere else.

The page's static/js/format.js follows the same rules, so that a report reads like the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from experiment.axes import settings_words
from experiment.records import RESOLUTION_MS, BackendInfo, Difference, Share, Variant

# The encoder of a reference that was not encoded again.
AS_UPLOADED = "as uploaded"
WITHOUT_METADATA = "as uploaded, without metadata"
NOT_ENCODED = frozenset({AS_UPLOADED, WITHOUT_METADATA})
MOST_DECIMALS = 3
ENDINGS = {1: "st", 2: "nd", 3: "rd"}
FORMAT_NAMES = {
    "png": "PNG",
    "jpeg": "JPEG",
    "webp": "WebP",
    "webp-lossless": "WebP lossless",
    "avif": "AVIF",
    "gif": "GIF",
    "bmp": "BMP",
}


def number(value: float) -> str:
    """0.4 -> "0.40", 7.234 -> "7.2", 41.3 -> "41", 1234 -> "1,234"."""
    if value < 0.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def told(text: str, longest: int = 300) -> str:
    """What another program says, fit for a sentence: one printable line of at most `longest` characters."""
    plain = " ".join("".join(each if each.isprintable() else " " for each in text[: 4 * longest]).split())
    return plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…"


def milliseconds(value_ms: float) -> str:
    """A time with its unit: "0.40 ms", "7.2 ms", "1,234 ms"."""
    return f"{number(value_ms)} ms"


def beside(value: float, limit: float, decimals: int = 0) -> str:
    """A number with as many decimals, of `decimals` to 3, as show on which side of a limit it is."""
    shown = [f"{value:.{each}f}" for each in range(min(decimals, MOST_DECIMALS), MOST_DECIMALS + 1)]
    sides = (value > limit, value < limit)
    return next((each for each in shown if (float(each) > limit, float(each) < limit) == sides), shown[-1])


def above(value: float, limit: float, words: Callable[[float], str], unit: str) -> tuple[str, str]:
    """Two numbers as `words` has them, the first the larger; exactly where they would read alike."""
    shown = words(value), words(limit)
    if shown[0] != shown[1]:
        return shown
    return f"{float(beside(value, limit)):,.15g} {unit}", f"{limit:,.15g} {unit}"


def margin_words(margin: float) -> str:
    """Percentage points as somebody chose them: 2.25 -> "2.25 points", 1 -> "1 point"."""
    return f"{margin:g} point{'' if margin == 1 else 's'}"


def wait(left_s: float) -> str:
    """A time that a person waits for, no finer than an estimate is: "9 s", "9 min", "2 h"."""
    for unit_s, unit in ((3600, "h"), (60, "min")):
        if left_s >= 1.5 * unit_s:
            return f"{left_s / unit_s:.0f} {unit}"
    return f"{max(1, round(left_s))} s"


def span(low_ms: float, high_ms: float) -> str:
    """From one time to another, with its unit: "23.2 to 23.5 ms"."""
    return f"{bounds(low_ms, high_ms)} ms"


def bounds(low_ms: float, high_ms: float) -> str:
    """From one time to another, with as many digits as keep them apart: "23.2 to 23.5"."""
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
    """What computes, as far as the server told: "OpenVINO 2026.4.1, bf16, avx2, 2 replicas"."""
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
    return ", ".join(str(each) for each in facts if each)


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
    """ "original", or "reference (PNG)" where the file as uploaded could not be sent itself."""
    return "original" if variant.encoder in NOT_ENCODED else f"reference ({format_name(variant.format)})"


def compared_with(variants: Iterable[Variant]) -> str:
    """What agreement is with: "original", or "reference" where that stayed in the browser."""
    is_stand_in = any(each.is_reference and each.made_in == "browser" for each in variants)
    return "reference" if is_stand_in else "original"


def made_as(variant: Variant) -> str:
    """Format and what is unusual about its making: "JPEG", "JPEG q50 4:4:4"."""
    return format_name(variant.format) + settings_words(variant)


def kind_name(variant: Variant) -> str:
    """What a table calls its format: "JPEG", "JPEG q50", "original" or "reference (PNG)"."""
    return reference_name(variant) if variant.is_reference else made_as(variant)


def sized_name(variant: Variant) -> str:
    """ "512 px JPEG", "512 px JPEG q50"."""
    return f"{variant.size_px} px {made_as(variant)}"


def short_name(variant: Variant) -> str:
    """ "512 px JPEG", "the original (1920 px JPEG)" or "the reference (1920 px PNG)"."""
    name = sized_name(variant)
    return f"the {reference_name(variant).partition(' ')[0]} ({name})" if variant.is_reference else name


def full_name(variant: Variant) -> str:
    """As a recommendation names it, with the usual quality too: "JPEG q85 at 512 px"."""
    if variant.is_reference:
        return short_name(variant)
    settings = settings_words(variant, always=frozenset({"quality"}))
    return f"{format_name(variant.format)}{settings} at {variant.size_px} px"


def capitalised(text: str) -> str:
    """With a capital at its start, the rest as it is: "the original" -> "The original"."""
    return text[:1].upper() + text[1:]


def sentence(text: str, capital: bool = True) -> str:
    """With a full stop at its end, and a capital at its start."""
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
