"""Browser and server side by side, in the HTML report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiment.codec import from_dict
from experiment.export.html_parts import Figures, Safe, table, text
from experiment.records import Variant
from experiment.wording import sized_name

COLUMNS = ("Variant", "Bytes, browser over server", "PSNR, dB", "Largest difference")


def resizers_section(report: Mapping[str, Any]) -> Safe:
    """The sentence and one row for each pair; nothing where only one place resized."""
    found = report.get("resizers")
    if not found:
        return Safe()
    names = {each["id"]: sized_name(from_dict(Variant, each)) for each in report["variants"]}
    backends = list(dict.fromkeys(name for pair in found["pairs"] for name in pair["same_top1"]))
    columns = [*COLUMNS, *(f"Same answer, {name}" for name in backends)]
    rows = [_row(pair, names, backends) for pair in found["pairs"]]
    return Safe(f"<h2>Browser and server</h2><p>{text(found['sentence'])}</p>{table(columns, rows)}")


def _row(pair: Mapping[str, Any], names: Mapping[str, str], backends: list[str]) -> list[Any]:
    psnr_db = pair["psnr_db"]
    return [
        names[pair["browser_id"]],
        Figures(f"{pair['bytes_ratio']:.2f}"),
        "same pixels"
        if pair["largest_difference"] == 0
        else None
        if psnr_db is None
        else Figures(f"{psnr_db:.1f}"),
        None if pair["largest_difference"] is None else Figures(str(pair["largest_difference"])),
        *(pair["same_top1"].get(name) for name in backends),
    ]
