"""What the timing process received: a photo, or variants that a browser made, or both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from experiment.errors import ImageRefused, VariantsRefused
from experiment.images.browser import DescribedVariant, check_shapes, read_made, with_reference
from experiment.images.header import Limits
from experiment.images.read import read_image
from experiment.images.resize import likeness
from experiment.images.variants import make_variants, planned_variants, skipped_sizes_px
from experiment.records import NotUploaded, Plan, SourceImage, Variant
from webapp.worker.pipe import BrowserVariantsJob


@dataclass(frozen=True, slots=True)
class Received:
    """The decoded photo, or the variant used in its place, and the variants from a browser."""

    source: SourceImage
    made: Sequence[Variant] = ()  # by the browser; without an original, one of them is the reference
    facts: Mapping[str, Any] = field(default_factory=dict)  # about the browser, for the environment

    @property
    def has_original(self) -> bool:
        """Whether the photo itself was uploaded."""
        return self.source.original is None

    def let_go(self) -> None:
        """Free the photo's pixels. variants() then needs with_pixels_of()."""
        if self.source.pixels is not None:
            self.source.pixels.close()

    def with_pixels_of(self, other: Received) -> Received:
        """The same photo, decoded again. `decode_ms` stays that of the first time."""
        return replace(self, source=replace(other.source, decode_ms=self.source.decode_ms))

    def planned_variants(self, plan: Plan) -> int:
        """The number of variants that variants() will return."""
        return len(self.made) + (planned_variants(self.source, plan) if self.has_original else 0)

    def skipped_sizes_px(self, plan: Plan) -> tuple[int, ...]:
        """Sizes above the original's own, largest first."""
        stayed = self.source.original
        if stayed is None:
            return skipped_sizes_px(self.source, plan)
        return skipped_sizes_px(
            replace(self.source, width_px=stayed.width_px, height_px=stayed.height_px), plan
        )

    def variants(self, plan: Plan, on_variant: Callable[[Variant], None]) -> list[Variant]:
        """The server's variants, the reference first, then the browser's; each is passed to `on_variant`."""
        own = make_variants(self.source, plan, on_variant) if self.has_original else []
        return own + list(self._compared(own, on_variant))

    def _compared(self, own: Sequence[Variant], on_variant: Callable[[Variant], None]) -> Iterator[Variant]:
        """The browser's variants, each compared with the server's variant of the same settings."""
        if not self.made:
            return
        from experiment.report.resizers import counterpart  # noqa: PLC0415  a photo alone does not need it

        for variant in self.made:
            other = counterpart(variant, own)
            found = likeness(variant.data, other.data) if other else None
            compared = replace(variant, **found._asdict()) if found else variant
            on_variant(compared)
            yield compared


def receive(job: BrowserVariantsJob, photo: bytes, parts: Sequence[bytes], limits: Limits) -> Received:
    """Read the photo and every variant to its last pixel. Raises ImageRefused or VariantsRefused.

    `photo` is empty if it was not uploaded; then the largest variant is used in its place.
    """
    _check_pixels(job.variants, parts, limits)
    made = [read_made(described, data) for described, data in zip(job.variants, parts, strict=True)]
    if photo:
        source = read_image(photo, job.name, limits, job.true_label)
        check_shapes(made, source.width_px, source.height_px)
        return Received(source, made, job.facts)
    reference, *others = with_reference(made)
    source = read_image(reference.data, job.name, limits, job.true_label)
    original = job.original or NotUploaded(source.size_bytes, source.width_px, source.height_px)
    check_shapes(made, original.width_px, original.height_px)
    standing_in = replace(source, original=original, notes=(), pixels=None)
    return Received(standing_in, [reference, *others], job.facts)


def _check_pixels(variants: Sequence[DescribedVariant], parts: Sequence[bytes], limits: Limits) -> None:
    problems = []
    for number, (described, data) in enumerate(zip(variants, parts, strict=True)):
        name = f"variants[{number}] ({described.words})"
        try:
            found = read_image(data, name, limits)
        except ImageRefused as refusal:
            problems.append(refusal.message if name in refusal.message else f"{name}: {refusal.message}")
            continue
        if found.exif_orientation != 1:
            problems.append(f"{name} is turned by EXIF only. Turn its pixels: models don't read EXIF.")
    if problems:
        raise VariantsRefused(problems)
