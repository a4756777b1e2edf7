"""What an hour of each backend costs: as the report says, or as somebody typed it later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from common.checks import Expected, price
from experiment.errors import PixelcostError

Prices = dict[str, float]  # by backend, per hour, all in the same currency, which is not named


class PriceRefused(PixelcostError):
    """A price that can't be used."""

    code = "bad_price"


def read_prices(texts: Sequence[str]) -> Prices:
    """Prices of lines like "8 CPU:0.35". Raises PriceRefused."""
    return dict(_read(text) for text in texts)


def prices_of(report: Mapping[str, Any], typed: Mapping[str, float]) -> Prices:
    """The price of each backend that has one: the typed one, else the report's.

    A price of 0 counts as unknown, since nothing can be compared with it. Raises PriceRefused for
    backends that are not in the report.
    """
    names = [backend["name"] for backend in report["backends"]]
    for name in typed:
        if name not in names:
            raise PriceRefused(f"This run has no backend named {name}. It has: {', '.join(names)}.")
    stored = {backend["name"]: backend.get("price_per_hour") for backend in report["backends"]}
    return {name: price for name, price in (stored | dict(typed)).items() if price}


def _read(text: str) -> tuple[str, float]:
    name, _, written = text.rpartition(":")
    try:
        value = price(written)
    except Expected:
        value = None
    if not name or value is None:
        raise PriceRefused(
            f"`{text}` is not a price. Write it as the backend's name and a number: 8 CPU:0.35"
        )
    return name, value
