"""What the HTML report says of a set of photos where it has one photo's own otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiment.codec import from_dict
from experiment.export.html_import import imported_words
from experiment.export.html_parts import Figures, Safe, badge, facts, table, text
from experiment.photo_sets.words import p_words
from experiment.records import Cell, Difference, OverPhotos, PhotoSetFacts, Share, Variant
from experiment.wording import margin_words, number, short_name, size

COLUMNS = (
    "Variant",
    "Bytes",
    "Backend",
    "Photos",
    "Top-1, % (95 %)",
    "Top-5, %",
    "Difference, points (95 %)",
    "McNemar p",
    "p, Holm",
    "Agrees, %",
    "p50, ms",
    "Validity",
)

MOST_SKIPPED = 50  # named; a report of a set that went wrong is still read

METHOD = {
    "Photos": "Bytes, sizes and p50 are medians over the photos; a cell has one latency for each photo.",
    "Top-1, top-5": "The share of photos with a label that the model knows whose label is the first "
    "answer, or one of the first five. Intervals of shares are Wilson's, 95 %.",
    "Difference": "Top-1 against the original's on the same photos and backend, in percentage points, with "
    "Newcombe's paired 95 % interval.",
    "McNemar p": "The exact p of McNemar's test: whether as many photos could have been gained as lost. "
    "Each p is that of one comparison; Holm's is corrected for all of them.",
    "Accuracy": "Top-1 and top-5, only for photos whose label the model knows.",
    "Agreement": "The share of photos with the same top answer as the same backend gave to the original.",
    "Margin": "A variant is recommended only when its interval shows that it loses less than the margin. No "
    "significant difference alone proves nothing where photos are few.",
}


def cells_of_set(report: Mapping[str, Any]) -> Safe:
    """One row for each cell that was asked for something."""
    variants = {each["id"]: from_dict(Variant, each) for each in report["variants"]}
    cells = [from_dict(Cell, each) for each in report["cells"]]
    asked = [each for each in cells if each.count or each.unanswered]
    return table(COLUMNS, [_row(variants[each.variant_id], each) for each in asked])


def _margin(photo_set: PhotoSetFacts, plan: Mapping[str, Any]) -> str:
    return margin_words(photo_set.margin_points) if plan["keep_top1"] else "none, the answer may change"


def facts_of_set(report: Mapping[str, Any]) -> Safe:
    """The set, in place of the photo."""
    photo_set, source = from_dict(PhotoSetFacts, report["photo_set"]), report["source"]
    shown, more = photo_set.skipped[:MOST_SKIPPED], len(photo_set.skipped) - MOST_SKIPPED
    rows: list[tuple[str, Any]] = [
        ("name", photo_set.name),
        ("photos", f"{photo_set.measured:,} measured of {photo_set.count:,} listed"),
        ("labelled", f"{photo_set.labelled:,} with a label that the model knows"),
        ("typical photo", f"{source['width_px']} x {source['height_px']} px, {size(source['size_bytes'])}"),
        ("margin", _margin(photo_set, report["plan"])),
        ("SHA-256 of the list", photo_set.sha256),
        ("measured", f"{report['created_at']}, run {report['run_id']}"),
        *([("imported", imported_words(report))] if report.get("imported") else []),
        *((f"skipped {each.name}", each.message) for each in shown),
        *([("skipped too", f"{more:,} more, which the JSON names")] if more > 0 else []),
    ]
    return facts("The photos", rows)


def set_run_words(seed: int) -> str:
    """How the photos were gone through, to be followed by what was done with each of them."""
    return (
        f"The photos came in random order (seed {seed}), one after another; warm-ups came with the first "
        "photo of each size. "
    )


def _row(variant: Variant, cell: Cell) -> list[Any]:
    over = cell.over_photos or OverPhotos(None, None, None, None)
    name = short_name(variant)
    reasons = "" if cell.validity == "VALID" else f"<small>{text(' '.join(cell.reasons))}</small>"
    return [
        name[:1].upper() + name[1:],
        Figures(size(variant.size_bytes)),
        cell.backend_name,
        cell.count,
        _share(over.top1),
        None if over.top5 is None else Figures(f"{over.top5.share * 100:.1f}"),
        _difference(over.difference),
        None if over.difference is None else Figures(p_words(over.difference.mcnemar_p)),
        None if over.difference is None else Figures(p_words(over.difference.mcnemar_p_holm)),
        None if over.agreement is None else Figures(f"{over.agreement.share * 100:.1f}"),
        None if cell.p50_ms is None else Figures(number(cell.p50_ms)),
        Safe(badge(cell.validity) + reasons),
    ]


def _share(share: Share | None) -> Figures | None:
    if share is None:
        return None
    return Figures(f"{share.share * 100:.1f} ({share.low * 100:.1f} to {share.high * 100:.1f})")


def _difference(found: Difference | None) -> Figures | None:
    if found is None:
        return None
    return Figures(f"{found.points:+.1f} ({found.low_points:+.1f} to {found.high_points:+.1f})")
