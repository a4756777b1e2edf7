"""What the timing process got: a photo, perhaps with variants that a browser made of it, all of them read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from experiment.codec import from_dict
from experiment.errors import ImageRefused, VariantsRefused
from experiment.images.browser import Described, check_shapes, read_made, with_reference
from experiment.images.likeness import likeness
from experiment.images.read import Limits, read_image
from experiment.images.variants import make_variants, planned_variants, skipped_sizes_px
from experiment.records import NotUploaded, Plan, SourceImage, Variant
from experiment.report.resizers import counterpart


@dataclass(frozen=True, slots=True)
class Received:
    """The photo, or what stands for it, and the variants that came with it."""

    source: SourceImage
    made: Sequence[Variant] = ()  # in the browser; the reference among them where no original came
    facts: Mapping[str, Any] = field(default_factory=dict)  # about the browser, for the environment

    @property
    def has_original(self) -> bool:
        """Whether the photo itself was uploaded."""
        return self.source.original is None

    def let_go(self) -> None:
        """Give the photo's pixels back. Making variants again takes with_pixels_of()."""
        if self.source.pixels is not None:
            self.source.pixels.close()

    def with_pixels_of(self, other: Received) -> Received:
        """The same photo, read again. Its times stay those of the first reading."""
        return replace(self, source=replace(other.source, decode_ms=self.source.decode_ms))

    def planned_variants(self, plan: Plan) -> int:
        """How many variants() will give."""
        return len(self.made) + (planned_variants(self.source, plan) if self.has_original else 0)

    def skipped_sizes_px(self, plan: Plan) -> tuple[int, ...]:
        """Sizes above the original's own, largest first."""
        told = self.source.original
        shape = (
            self.source
            if told is None
            else replace(self.source, width_px=told.width_px, height_px=told.height_px)
        )
        return skipped_sizes_px(shape, plan)

    def variants(self, plan: Plan, on_variant: Callable[[Variant], None]) -> list[Variant]:
        """The reference, what the server makes, what the browser made; each is told once it is there."""
        own = make_variants(self.source, plan, on_variant) if self.has_original else []
        return own + list(self._compared(own, on_variant))

    def _compared(self, own: Sequence[Variant], on_variant: Callable[[Variant], None]) -> Iterator[Variant]:
        """The browser's variants, with how far their pixels are from those of the server's."""
        for each in self.made:
            other = counterpart(each, own)
            found = likeness(each.data, other.data) if other else None
            made = (
                each
                if found is None
                else replace(each, psnr_db=found.psnr_db, largest_difference=found.largest_difference)
            )
            on_variant(made)
            yield made


def receive(job: Mapping[str, Any], photo: bytes, parts: Sequence[bytes], limits: Limits) -> Received:
    """Read the photo and every variant to its last pixel. Raises ImageRefused or VariantsRefused.

    `photo` is empty where it stayed in the browser; then the largest variant stands for it.
    """
    browser = job["browser"]
    described = [from_dict(Described, each) for each in browser["variants"]]
    _check_pixels(described, parts, limits)
    made = [read_made(each, data) for each, data in zip(described, parts, strict=True)]
    if photo:
        source = read_image(photo, job["name"], limits, job["true_label"])
        check_shapes(made, source.width_px, source.height_px)
        return Received(source, made, browser["facts"])
    reference, *others = with_reference(made)
    source = _standing_in(reference, browser["original"], job, limits)
    told = source.original
    assert told is not None, "only a photo that came has none"  # noqa: S101
    check_shapes(made, told.width_px, told.height_px)
    return Received(source, [reference, *others], browser["facts"])


def _check_pixels(described: Sequence[Described], parts: Sequence[bytes], limits: Limits) -> None:
    problems = []
    for number, (each, data) in enumerate(zip(described, parts, strict=True)):
        name = f"variants[{number}] ({each.words})"
        try:
            found = read_image(data, name, limits)
        except ImageRefused as refusal:
            problems.append(refusal.message if name in refusal.message else f"{name}: {refusal.message}")
            continue
        if found.exif_orientation != 1:
            problems.append(f"{name} is turned by EXIF only. Turn its pixels: models don't read EXIF.")
    if problems:
        raise VariantsRefused(problems)


def _standing_in(
    reference: Variant, told: Mapping[str, Any] | None, job: Mapping[str, Any], limits: Limits
) -> SourceImage:
    """The reference as the run's source, under the photo's name and with what is said of the photo."""
    source = read_image(reference.data, job["name"], limits, job["true_label"])
    original = (
        NotUploaded(source.size_bytes, source.width_px, source.height_px)
        if told is None
        else from_dict(NotUploaded, told)
    )
    return replace(source, original=original, notes=(), pixels=None)
