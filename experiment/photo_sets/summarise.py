"""summarise_set(): the tally of a set in, report out. The same report as for one photo.

Where a report of one photo has a value of that photo, this one has the median over all
photos; a cell's samples are one latency for each photo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from experiment.photo_sets.goals import MOST_FAILED_SHARE, margin_points
from experiment.photo_sets.journal import SetHeader
from experiment.photo_sets.recommendation import recommend_for_set
from experiment.photo_sets.shares import between_backends, over_photos
from experiment.photo_sets.tally import CellTally, Failures, Tally, VariantTally
from experiment.photo_sets.warnings import warnings_of_set
from experiment.records import (
    REFERENCE_ID,
    SCHEMA_VERSION,
    BackendInfo,
    Cell,
    Failure,
    OverPhotos,
    PhotoSetFacts,
    Plan,
    Report,
    RunState,
    SourceImage,
    UnknownLabel,
    Validity,
    Variant,
)
from experiment.report.contention import rivals_for_cores
from experiment.report.goals import Results
from experiment.report.statistics import latency_stats, percentile, percentile_from
from experiment.report.validity import Conditions, judge, late_ms
from experiment.wording import sentence

NOTHING_YET = CellTally()


def summarise_set(
    header: SetHeader,
    tally: Tally,
    state: RunState,
    backends: Sequence[BackendInfo] | None = None,
    failure: Failure | None = None,
) -> Report:
    """Everything that follows from the photos measured so far.

    `backends`: as they are now; None: as they were when the run began.
    """
    backends = tuple(backends or header.backends)
    plan = header.plan
    environment = {**header.environment, **_heartbeat(tally)}
    variants = _variants(tally)
    reference_id = next((variant.id for variant in variants if variant.is_reference), REFERENCE_ID)
    late = late_ms(environment)
    conditions = Conditions(state, rivals_for_cores(backends, plan.order), late, _interrupted(tally))
    shares = over_photos(tally, reference_id)
    cells = tuple(
        _cell(variant.id, backend, tally.cells.get((variant.id, backend.name)), shares, conditions)
        for variant in variants
        for backend in backends
    )
    photo_set = _facts(header, tally, plan, shares)
    results = Results(plan, state, variants, backends, cells)
    return Report(
        schema_version=SCHEMA_VERSION,
        run_id=header.run_id,
        state=state,
        created_at=header.created_at,
        source=_source(header, tally),
        plan=plan,
        environment=environment,
        backends=backends,
        variants=variants,
        skipped_sizes_px=_never_made(plan, tally),
        cells=cells,
        recommendation=recommend_for_set(results, photo_set),
        warnings=warnings_of_set(results, photo_set, tally, late),
        requests_planned=_planned(header, tally),
        requests_done=tally.requests_done,
        requests_failed=tally.requests_failed,
        requests_not_sent=tally.requests_not_sent,
        failure=failure,
        photo_set=photo_set,
    )


def _heartbeat(tally: Tally) -> Mapping[str, Any]:
    if not tally.beats:
        return {}
    return {
        "heartbeat_max_ms": round(tally.max_delay_ms, 2),
        "heartbeat_late_share": round(tally.late_beats / tally.beats, 4),
    }


def _interrupted(tally: Tally) -> frozenset[str]:
    """Backends that could not be reached at some time, and answered at another."""
    return frozenset(
        name
        for name, failures in tally.backends.items()
        if failures.by_code["unreachable"] and failures.asked > failures.unanswered
    )


def _planned(header: SetHeader, tally: Tally) -> int:
    """Requests in all, should the photos to come be like those so far."""
    if not tally.measured:
        return 0
    to_come = header.count - tally.done
    return tally.requests_done + round(to_come * tally.requests_done / tally.done)


def _never_made(plan: Plan, tally: Tally) -> tuple[int, ...]:
    """Sizes that no photo was large enough for."""
    return tuple(
        sorted((px for px in plan.sizes_px if tally.skipped_sizes_px[px] == tally.measured), reverse=True)
    )


def _facts(
    header: SetHeader, tally: Tally, plan: Plan, shares: Mapping[tuple[str, str], OverPhotos]
) -> PhotoSetFacts:
    return PhotoSetFacts(
        name=header.name,
        count=header.count,
        measured=tally.measured,
        labelled=tally.labelled,
        sha256=header.sha256,
        margin_points=margin_points(plan, tally.labelled > 0),
        comparisons=sum(share.difference is not None for share in shares.values()),
        skipped=(*header.missing, *tally.skipped),
        unknown_labels=tuple(UnknownLabel(*counted) for counted in tally.unknown_labels.most_common()),
        between_backends=between_backends(tally),
        given_labels=header.given_labels,
    )


def _source(header: SetHeader, tally: Tally) -> SourceImage:
    """The typical photo, under the name of the set."""
    most_common = tally.media_types.most_common(1)
    return SourceImage(
        name=header.name,
        data=b"",
        sha256=header.sha256,
        media_type=most_common[0][0] if most_common else "image/unknown",
        size_bytes=_whole_median(tally.sizes_bytes),
        width_px=_whole_median(tally.widths_px),
        height_px=_whole_median(tally.heights_px),
        exif_orientation=1,
        decode_ms=percentile_from(1, tally.decode_ms, 50) or 0.0,
        notes=tuple(
            f"{note} ({count:,} of {tally.measured:,} photos)" for note, count in tally.notes.most_common()
        ),
    )


def _variants(tally: Tally) -> tuple[Variant, ...]:
    """The reference first, then by size, largest first; within a size as they were made."""
    made = map(_variant, tally.variants.values())
    return tuple(sorted(made, key=lambda variant: (not variant.is_reference, -variant.size_px)))


def _variant(tally: VariantTally) -> Variant:
    photos = len(tally.sizes_bytes)
    return replace(
        tally.typical,
        size_px=_whole_median(tally.longest_px),
        width_px=_whole_median(tally.widths_px),
        height_px=_whole_median(tally.heights_px),
        size_bytes=_whole_median(tally.sizes_bytes),
        sha256=tally.digest.hexdigest(),
        decode_ms=_median_of_most(tally.decode_ms, photos),
        resize_ms=_median_of_most(tally.resize_ms, photos),
        encode_ms=_median_of_most(tally.encode_ms, photos),
        percent_of_original=percentile(tally.percents, 50),
    )


def _cell(
    variant_id: str,
    backend: BackendInfo,
    tally: CellTally | None,
    shares: Mapping[tuple[str, str], OverPhotos],
    conditions: Conditions,
) -> Cell:
    cell = tally or NOTHING_YET
    samples_ms = tuple(cell.samples_ms)
    validity, reasons = judge_over_photos(backend, samples_ms, cell.failures, conditions)
    return Cell(
        variant_id=variant_id,
        backend_name=backend.name,
        count=len(samples_ms),
        failures=cell.failures.failed,
        cold_ms=cell.cold_ms,
        samples_ms=samples_ms,
        **latency_stats(samples_ms),
        server_ms={stage: percentile(values_ms, 50) for stage, values_ms in cell.stages_ms.items()},
        request_bytes=_whole_median(cell.request_bytes) if cell.request_bytes else None,
        response_bytes=_whole_median(cell.response_bytes) if cell.response_bytes else None,
        validity=validity,
        reasons=reasons,
        failure_reasons=cell.failures.most_frequent,
        not_sent=cell.failures.not_sent,
        over_photos=shares.get((variant_id, backend.name), OverPhotos(None, None, None, None)),
    )


def _median_of_most(values_ms: Sequence[float], photos: int) -> float | None:
    """None where most photos went without this stage: a few encoded originals are not typical."""
    return percentile_from(1, values_ms, 50) if 2 * len(values_ms) > photos else None


def _whole_median(values: Sequence[float]) -> int:
    """The middle value, of two the lower one, so that it is one that was there. At least 1."""
    return max(1, int(sorted(values)[(len(values) - 1) // 2])) if len(values) else 1


def judge_over_photos(
    backend: BackendInfo, samples_ms: Sequence[float], failures: Failures, conditions: Conditions
) -> tuple[Validity, tuple[str, ...]]:
    """The verdict on one cell, and one sentence for each reason."""
    lost = failures.unanswered
    is_few = bool(lost) and lost <= failures.asked * MOST_FAILED_SHARE
    failed, not_sent = (0, 0) if is_few else (failures.failed, failures.not_sent)
    validity, reasons = judge(backend, samples_ms, failed, failures.most_frequent, conditions, not_sent)
    if not is_few:
        return validity, reasons
    why = sentence(failures.most_frequent[0].message)
    words = f"{lost:,} of {failures.asked:,} requests failed: {why}"
    return ("INVALID", reasons) if validity == "INVALID" else ("NOISY", (words,))
