"""summarise_set(): the counts of a set in, report out. The same report as for one photo.

Where a report of one photo has a value of that photo, this one has the median over all
photos; a cell's samples are one latency for each photo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from experiment.photo_sets.counts import CellCounts, Failures, SetCounts, VariantCounts
from experiment.photo_sets.goals import MOST_FAILED_SHARE, margin_points
from experiment.photo_sets.journal import SetHeader
from experiment.photo_sets.recommendation import recommend_for_set
from experiment.photo_sets.shares import between_backends, over_photos
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
from experiment.report.statistics import Samples, latency_stats, percentile, percentile_from, set_apart
from experiment.report.validity import Conditions, judge, was_busy
from experiment.wording import sentence

MOST_HOSTS = 100  # that are named
NOTHING_YET = CellCounts()


def summarise_set(
    header: SetHeader,
    counts: SetCounts,
    state: RunState,
    backends: Sequence[BackendInfo] | None = None,
    failure: Failure | None = None,
) -> Report:
    """Everything that follows from the photos measured so far.

    `backends`: as they are now; None: as they were when the run began.
    """
    backends = tuple(backends or header.backends)
    plan = header.plan
    environment = {**header.environment, **_heartbeat(counts), **_workers(counts)}
    variants = _variants(counts)
    reference_id = next((variant.id for variant in variants if variant.is_reference), REFERENCE_ID)
    busy = was_busy(environment, [None] if counts.unwatched else [])
    conditions = Conditions(state, rivals_for_cores(backends, plan.order), busy, _interrupted(counts))
    shares = over_photos(counts, reference_id)
    cells = tuple(
        _cell(variant.id, backend, counts.cells.get((variant.id, backend.name)), shares, conditions)
        for variant in variants
        for backend in backends
    )
    photo_set = _facts(header, counts, plan, shares)
    source = _source(header, counts)
    results = Results(plan, state, variants, backends, cells, None, source.size_bytes)
    return Report(
        schema_version=SCHEMA_VERSION,
        run_id=header.run_id,
        state=state,
        created_at=header.created_at,
        source=source,
        plan=plan,
        environment=environment,
        backends=backends,
        variants=variants,
        skipped_sizes_px=_never_made(plan, counts),
        cells=cells,
        recommendation=recommend_for_set(results, photo_set),
        warnings=warnings_of_set(results, photo_set, counts, was_busy=busy),
        requests_planned=_planned(header, counts),
        requests_done=counts.requests_done,
        requests_failed=counts.requests_failed,
        requests_not_sent=counts.requests_not_sent,
        failure=failure,
        photo_set=photo_set,
    )


def _heartbeat(counts: SetCounts) -> Mapping[str, Any]:
    if not counts.beats:
        return {}
    return {
        "heartbeat_max_ms": round(counts.max_delay_ms, 2),
        "heartbeat_late_share": round(counts.late_beats / counts.beats, 4),
    }


def _workers(counts: SetCounts) -> Mapping[str, Any]:
    """Who measured, if it was not one process alone; of several sessions the one with most photos."""
    if not counts.together:
        return {}
    ((engine, workers), _) = counts.together.most_common(1)[0]
    return {"engine": engine, "workers": workers, "worker_hosts": sorted(counts.hosts)[:MOST_HOSTS]}


def _interrupted(counts: SetCounts) -> frozenset[str]:
    """Backends that could not be reached at some time, and answered at another."""
    return frozenset(
        name
        for name, failures in counts.backends.items()
        if failures.by_code["unreachable"] and failures.asked > failures.unanswered
    )


def _planned(header: SetHeader, counts: SetCounts) -> int:
    """Requests in all, should the photos to come be like those so far."""
    if not counts.measured:
        return 0
    to_come = header.count - counts.done
    return counts.requests_done + round(to_come * counts.requests_done / counts.done)


def _never_made(plan: Plan, counts: SetCounts) -> tuple[int, ...]:
    """Sizes that no photo was large enough for."""
    return tuple(
        sorted((px for px in plan.sizes_px if counts.skipped_sizes_px[px] == counts.measured), reverse=True)
    )


def _facts(
    header: SetHeader, counts: SetCounts, plan: Plan, shares: Mapping[tuple[str, str], OverPhotos]
) -> PhotoSetFacts:
    return PhotoSetFacts(
        name=header.name,
        count=header.count,
        measured=counts.measured,
        labelled=counts.labelled,
        sha256=header.sha256,
        margin_points=margin_points(plan, counts.labelled > 0),
        comparisons=sum(share.difference is not None for share in shares.values()),
        skipped=(*header.missing, *counts.skipped),
        unknown_labels=tuple(UnknownLabel(*counted) for counted in counts.unknown_labels.most_common()),
        between_backends=between_backends(counts),
        given_labels=header.given_labels,
    )


def _source(header: SetHeader, counts: SetCounts) -> SourceImage:
    """The typical photo, under the name of the set."""
    most_common = counts.media_types.most_common(1)
    return SourceImage(
        name=header.name,
        data=b"",
        sha256=header.sha256,
        media_type=most_common[0][0] if most_common else "image/unknown",
        size_bytes=_whole_median(counts.sizes_bytes),
        width_px=_whole_median(counts.widths_px),
        height_px=_whole_median(counts.heights_px),
        exif_orientation=1,
        decode_ms=percentile_from(1, counts.decode_ms, 50) or 0.0,
        notes=tuple(
            f"{note} ({count:,} of {counts.measured:,} photos)" for note, count in counts.notes.most_common()
        ),
    )


def _variants(counts: SetCounts) -> tuple[Variant, ...]:
    """The reference first, then by size, largest first; within a size as they were made."""
    made = map(_variant, counts.variants.values())
    return tuple(sorted(made, key=lambda variant: (not variant.is_reference, -variant.size_px)))


def _variant(counts: VariantCounts) -> Variant:
    photos = len(counts.sizes_bytes)
    return replace(
        counts.typical,
        size_px=_whole_median(counts.longest_px),
        width_px=_whole_median(counts.widths_px),
        height_px=_whole_median(counts.heights_px),
        size_bytes=_whole_median(counts.sizes_bytes),
        sha256=counts.digest.hexdigest(),
        decode_ms=_median_of_most(counts.decode_ms, photos),
        resize_ms=_median_of_most(counts.resize_ms, photos),
        encode_ms=_median_of_most(counts.encode_ms, photos),
        percent_of_original=percentile(counts.percents, 50),
    )


def _cell(
    variant_id: str,
    backend: BackendInfo,
    counts: CellCounts | None,
    shares: Mapping[tuple[str, str], OverPhotos],
    conditions: Conditions,
) -> Cell:
    cell = counts or NOTHING_YET
    kept, apart = (tuple(part) for part in set_apart(cell.samples_ms, [*map(bool, cell.disturbed)]))
    samples = Samples(kept, apart, sum(cell.disturbed) - len(apart))
    validity, reasons = judge_over_photos(backend, samples, cell.failures, conditions)
    return Cell(
        variant_id=variant_id,
        backend_name=backend.name,
        count=len(kept),
        failures=cell.failures.failed,
        cold_ms=cell.cold_ms,
        samples_ms=kept,
        **latency_stats(kept, apart),
        server_ms={stage: percentile(values_ms, 50) for stage, values_ms in cell.stages_ms.items()},
        request_bytes=_whole_median(cell.request_bytes) if cell.request_bytes else None,
        response_bytes=_whole_median(cell.response_bytes) if cell.response_bytes else None,
        validity=validity,
        reasons=reasons,
        failure_reasons=cell.failures.most_frequent,
        not_sent=cell.failures.not_sent,
        disturbed_samples_ms=apart,
        disturbed_counted=samples.disturbed_counted,
        over_photos=shares.get((variant_id, backend.name), OverPhotos(None, None, None, None)),
    )


def _median_of_most(values_ms: Sequence[float], photos: int) -> float | None:
    """None where most photos went without this stage: a few encoded originals are not typical."""
    return percentile_from(1, values_ms, 50) if 2 * len(values_ms) > photos else None


def _whole_median(values: Sequence[float]) -> int:
    """The middle value, of two the lower one, so that it is one that was there. At least 1."""
    return max(1, int(sorted(values)[(len(values) - 1) // 2])) if len(values) else 1


def judge_over_photos(
    backend: BackendInfo, samples: Samples, failures: Failures, conditions: Conditions
) -> tuple[Validity, tuple[str, ...]]:
    """The verdict on one cell, and one sentence for each reason."""
    lost = failures.unanswered
    is_few = bool(lost) and lost <= failures.asked * MOST_FAILED_SHARE
    failed, not_sent = (0, 0) if is_few else (failures.failed, failures.not_sent)
    validity, reasons = judge(backend, samples, failed, failures.most_frequent, conditions, not_sent)
    if not is_few:
        return validity, reasons
    why = sentence(failures.most_frequent[0].message)
    words = f"{lost:,} of {failures.asked:,} requests failed: {why}"
    return ("INVALID", reasons) if validity == "INVALID" else ("NOISY", (words,))
