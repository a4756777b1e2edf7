"""compare_resizers(): copies made in the browser beside those of the server, in bytes, pixels and answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from experiment.records import Cell, ResizerPair, Resizers, Variant
from experiment.wording import count, format_name, listed


def compare_resizers(variants: Sequence[Variant], cells: Sequence[Cell]) -> Resizers | None:
    """Each variant that both places made; None where only one of them did."""
    answers = {(cell.variant_id, cell.backend_name): cell.top[0].label for cell in cells if cell.top}
    pairs = tuple(_pairs(variants, answers))
    return Resizers(_sentence(pairs, variants), pairs) if pairs else None


def counterpart(made: Variant, variants: Sequence[Variant]) -> Variant | None:
    """The server's variant of the same size, format and quality; of several the one most like it."""
    alike = [
        variant
        for variant in variants
        if variant.made_in == "server"
        and not variant.is_reference
        and (variant.size_px, variant.format, variant.quality) == (made.size_px, made.format, made.quality)
    ]
    return max(alike, key=lambda variant: _similarity(variant, made), default=None)


def _similarity(other: Variant, made: Variant) -> tuple[bool, bool]:
    return other.subsampling == made.subsampling, other.resampler in {made.resampler or "lanczos", None}


def _pairs(variants: Sequence[Variant], answers: Mapping[tuple[str, str], str]) -> Iterator[ResizerPair]:
    backends = list(dict.fromkeys(name for _, name in answers))
    for made in variants:
        other = counterpart(made, variants) if made.engine else None
        if other is None or made.engine is None:
            continue
        both = {name: (answers.get((made.id, name)), answers.get((other.id, name))) for name in backends}
        yield ResizerPair(
            browser_id=made.id,
            server_id=other.id,
            engine=made.engine,
            psnr_db=made.psnr_db,
            largest_difference=made.largest_difference,
            bytes_ratio=made.size_bytes / other.size_bytes,
            same_top1={name: one == two for name, (one, two) in both.items() if one and two},
        )


def _sentence(pairs: Sequence[ResizerPair], variants: Sequence[Variant]) -> str:
    by_id = {variant.id: variant for variant in variants}
    formats = list(dict.fromkeys(by_id[pair.browser_id].format for pair in pairs))
    has_rgba = any(by_id[pair.browser_id].channels == 4 for pair in pairs)
    ratios = ", ".join(_byte_words(key, pairs, by_id) for key in formats)
    parts = [
        f"Browser and server made {count(len(pairs), 'variant')} of the same size, format and quality.",
        _pixel_words(pairs),
        _answer_words(pairs),
        f"Bytes, the browser's over the server's: {ratios}.",
        "A browser writes PNG as RGBA and the server as RGB, so PNG bytes can't be compared across the two."
        if has_rgba
        else "",
    ]
    return " ".join(part for part in parts if part)


def _pixel_words(pairs: Sequence[ResizerPair]) -> str:
    engines = list(dict.fromkeys(pair.engine for pair in pairs))
    known = [words for engine in engines if (words := _engine_words(engine, pairs))]
    return f"Decoded pixels against the server's (PSNR): {listed(known)}." if known else ""


def _engine_words(engine: str, pairs: Sequence[ResizerPair]) -> str:
    mine = [pair for pair in pairs if pair.engine == engine]
    known = [pair.psnr_db for pair in mine if pair.psnr_db is not None]
    if known:
        return f"{_span(known, 1)} dB by {engine}"
    return f"the very same by {engine}" if any(pair.largest_difference == 0 for pair in mine) else ""


def _answer_words(pairs: Sequence[ResizerPair]) -> str:
    names = list(dict.fromkeys(name for pair in pairs for name in pair.same_top1))
    same = []
    for name in names:
        answers = [pair.same_top1[name] for pair in pairs if name in pair.same_top1]
        same.append(f"{sum(answers)} of {len(answers)} on {name}")
    return f"The top answer is the same for {listed(same)}." if same else ""


def _byte_words(key: str, pairs: Sequence[ResizerPair], by_id: Mapping[str, Variant]) -> str:
    ratios = [pair.bytes_ratio for pair in pairs if by_id[pair.browser_id].format == key]
    return f"{_span(ratios, 2)} as {format_name(key)}"


def _span(values: Sequence[float], decimals: int) -> str:
    """ "0.98 to 1.02", or one number where both ends read alike."""
    low, high = f"{min(values):.{decimals}f}", f"{max(values):.{decimals}f}"
    return low if low == high else f"{low} to {high}"
