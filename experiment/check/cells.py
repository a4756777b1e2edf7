"""Which cells of a run a block of goals is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.json_values import quoted
from experiment.check.budget import Block
from experiment.figures.view import View, view_of
from experiment.records import BackendInfo, Cell, Variant
from experiment.wording import count, listed

MOST_NAMED = 8


class NotJudged(Exception):
    """A goal that nothing can be said about; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class CheckedRun:
    """A run, and where it came from."""

    name: str  # of its file, or "this run"
    report: Mapping[str, Any]
    view: View

    @property
    def photo_sha256(self) -> str:
        """Of the photo, or of the list of photos."""
        found: str = (self.report.get("photo_set") or self.report["source"])["sha256"]
        return found

    @property
    def photo_words(self) -> str:
        """ "cat.png", "300 photos of pets.zip"."""
        name = self.report["source"]["name"]
        photo_set = self.view.photo_set
        return name if photo_set is None else f"{count(photo_set.measured, 'photo')} of {photo_set.name}"


@dataclass(frozen=True, slots=True)
class CheckedCell:
    """A cell that was asked."""

    variant: Variant
    backend: BackendInfo
    cell: Cell
    is_of_set: bool

    @property
    def name(self) -> str:
        """As a budget names it: "512-jpeg-85 on 8 CPU"."""
        return f"{self.variant.id} on {self.backend.name}"

    @property
    def key(self) -> tuple[str, str]:
        """Unique within a run."""
        return self.variant.id, self.backend.name

    @property
    def noun(self) -> str:
        """What more of would tell more."""
        return "photo" if self.is_of_set else "repeat"

    @property
    def doubt(self) -> str:
        """Why its times can't be believed, "" if they can. A request that failed is no reason: it counts as
        too slow."""
        is_doubtful = self.cell.validity == "INVALID" and not self.cell.unanswered and self.cell.reasons
        return self.cell.reasons[0] if is_doubtful else ""


def checked_run(name: str, report: Mapping[str, Any]) -> CheckedRun:
    """An exported report, read."""
    return CheckedRun(name, report, view_of(report))


def asked_cells(view: View) -> list[CheckedCell]:
    """Cells with at least one request, as the report orders them."""
    variants = {variant.id: variant for variant in view.variants}
    backends = {info.name: info for info in view.backends}
    return [
        CheckedCell(variants[cell.variant_id], backends[cell.backend_name], cell, view.photo_set is not None)
        for cell in view.cells
        if cell.count or cell.unanswered
    ]


def chosen_cells(block: Block, view: View) -> list[CheckedCell]:
    """The cells of a block. Raises NotJudged when it names what the run does not have."""
    cells = asked_cells(view)
    if not any(cell.cell.count for cell in cells):
        reasons = [reason for cell in cells for reason in cell.cell.reasons]
        raise NotJudged(f"No backend answered. {reasons[0]}" if reasons else "Nothing was measured.")
    if block.cells == "recommended":
        wanted = (view.recommendation.variant_id, view.recommendation.backend_name)
        found = [cell for cell in cells if cell.key == wanted]
        if not found:
            raise NotJudged(f"The run recommends nothing. {view.recommendation.sentence}")
        return found
    _refuse_missing(block.variants, (cell.variant.id for cell in cells), "variant")
    _refuse_missing(block.backends, (cell.backend.name for cell in cells), "backend")
    found = [
        cell
        for cell in cells
        if (block.variants is None or cell.variant.id in block.variants)
        and (block.backends is None or cell.backend.name in block.backends)
    ]
    if not found:
        raise NotJudged("None of its variants was measured on any of its backends.")
    return found


def _refuse_missing(wanted: Sequence[str] | None, measured: Iterable[str], noun: str) -> None:
    there = list(dict.fromkeys(measured))
    if missing := [name for name in wanted or () if name not in there]:
        more = f" and {len(there) - MOST_NAMED} more" if len(there) > MOST_NAMED else ""
        raise NotJudged(
            f"The run measured no {noun} {quoted(missing[0])}. "
            f"It measured {listed(there[:MOST_NAMED])}{more}."
        )
