"""All sections about one run, as JSON values: for the page and the HTML report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from experiment.decide.compare_section import compare_section
from experiment.decide.cost_section import cost_section
from experiment.decide.differences import photo_hash
from experiment.decide.prices import prices_of
from experiment.decide.sensitivity_section import sensitivity_section
from experiment.decide.uplink_section import uplink_section
from experiment.decide.uplinks import UPLINKS, uplink_at
from experiment.figures.palette import palette_of
from experiment.figures.section import Section
from experiment.figures.view import View, view_of
from experiment.under_load.defaults import choices
from experiment.under_load.section import load_section

Report = Mapping[str, Any]
Theme = Literal["light", "dark"]


def sections(
    report: Report,
    typed_prices: Mapping[str, float] | None = None,
    theme: Theme = "light",
    view: View | None = None,
) -> dict[str, Section]:
    """Load, cost, end to end and sensitivity of an exported report, by key. Raises PriceRefused.

    `view` saves reading the report again: its view_of().
    """
    view, palette = view or view_of(report), palette_of(theme)
    prices = prices_of(report, typed_prices or {})
    return {
        "load": load_section(view, palette),
        "cost": cost_section(view, prices, palette),
        "uplink": uplink_section(view, report["source"], uplink_at(view.plan.uplink_mbit_s), palette),
        "sensitivity": sensitivity_section(view, palette),
    }


def deciding(
    report: Report,
    typed_prices: Mapping[str, float] | None = None,
    theme: Theme = "light",
) -> dict[str, Any]:
    """sections() as JSON values, and what was chosen and can be chosen."""
    view = view_of(report)
    made = sections(report, typed_prices, theme, view)
    stored = {backend["name"]: backend.get("price_per_hour") or None for backend in report["backends"]}
    return {
        "run_id": report["run_id"],
        "sections": {key: asdict(section) for key, section in made.items()},
        "prices": stored | dict(typed_prices or {}),
        "uplink": asdict(uplink_at(view.plan.uplink_mbit_s)),
        "uplinks": [asdict(known) for known in UPLINKS.values()],
        "load": choices(report, view),
    }


def comparison(this: Report, other: Report, theme: Theme = "light") -> dict[str, Any]:
    """One run against another, as JSON values. Raises NotComparable."""
    made, (mine, theirs) = compare_section(this, other, palette_of(theme)), map(photo_hash, (this, other))
    found = {"run_id": this["run_id"], "other_id": other["run_id"], "same_photo": mine == theirs}
    return found | {"section": asdict(made)}
