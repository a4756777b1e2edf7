"""summarise(): records in, report out. Pure arithmetic; nothing is measured or stored here."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiment.records import (
    REFERENCE_ID,
    SCHEMA_VERSION,
    BackendInfo,
    BreakingPoint,
    Cell,
    Failure,
    Measurement,
    Plan,
    Prediction,
    Report,
    RunState,
    SourceImage,
    Variant,
)
from experiment.report.additions import (
    Session,
    differing,
    joined_environment,
    joined_measurements,
    joined_plan,
    retried,
)
from experiment.report.agreement import agreement, correctness
from experiment.report.contention import rivals_for_cores
from experiment.report.recommendation import recommend
from experiment.report.resizers import compare_resizers
from experiment.report.statistics import (
    SAMPLES_FOR_P90,
    SAMPLES_FOR_P99,
    median_interval,
    percentile,
    percentile_from,
)
from experiment.report.validity import Conditions, judge, late_ms, with_noise
from experiment.report.warnings import Facts, cautions


def summarise(
    *,
    run_id: str,
    state: RunState,
    created_at: float,
    source: SourceImage,
    plan: Plan,
    environment: Mapping[str, Any],
    backends: Sequence[BackendInfo],
    variants: Sequence[Variant],
    skipped_sizes_px: Sequence[int],
    measurements: Sequence[Measurement],
    requests_planned: int,
    failure: Failure | None = None,
    added: Sequence[Session] = (),
    breaking_points: Sequence[BreakingPoint] = (),
) -> Report:
    """Everything that follows from what was measured so far, and `added` afterwards.

    `backends` are those of this run, absent ones too. There is one cell for each variant
    on each backend; those without measurements are empty and say why.
    """
    before, measurements = measurements, joined_measurements(measurements, added)
    left_out = len(before) + sum(len(each.measurements) for each in added) - len(measurements)
    requests_planned -= left_out
    plan, environment = joined_plan(plan, added), joined_environment(environment, added)
    late = late_ms(environment)
    conditions = Conditions(state, rivals_for_cores(backends, plan.order), late, _interrupted(measurements))
    cells = _cells(source.true_label, variants, backends, measurements, conditions)
    facts = Facts(
        state, source, plan, backends, variants, skipped_sizes_px, measurements, cells, requests_planned, late
    )
    return Report(
        schema_version=SCHEMA_VERSION,
        run_id=run_id,
        state=state,
        created_at=created_at,
        source=source,
        plan=plan,
        environment=environment,
        backends=tuple(backends),
        variants=tuple(variants),
        skipped_sizes_px=tuple(skipped_sizes_px),
        cells=cells,
        recommendation=recommend(plan, state, source.true_label, variants, backends, cells),
        warnings=(*cautions(facts), *differing(before, added, variants), *retried(before, added)),
        requests_planned=requests_planned,
        requests_done=len(measurements),
        requests_failed=sum(each.failure is not None and each.failure.was_sent for each in measurements),
        requests_not_sent=sum(
            each.failure is not None and not each.failure.was_sent for each in measurements
        ),
        failure=failure,
        additions=tuple(each.addition for each in added),
        breaking_points=tuple(breaking_points),
        resizers=compare_resizers(variants, cells),
    )


def _interrupted(measurements: Sequence[Measurement]) -> frozenset[str]:
    """Backends that could not be reached at some time, and answered at another."""
    answered = {each.backend_name for each in measurements if each.prediction is not None}
    lost = {each.backend_name for each in measurements if each.failure and each.failure.code == "unreachable"}
    return frozenset(answered & lost)


def _cells(
    true_label: str | None,
    variants: Sequence[Variant],
    backends: Sequence[BackendInfo],
    measurements: Sequence[Measurement],
    conditions: Conditions,
) -> tuple[Cell, ...]:
    groups: dict[tuple[str, str], list[Measurement]] = defaultdict(list)
    for each in measurements:
        groups[each.variant_id, each.backend_name].append(each)
    reference_id = next((each.id for each in variants if each.is_reference), REFERENCE_ID)
    stopped_by = _stopped_by(measurements)
    return tuple(
        _cell(
            variant,
            backend,
            groups[variant.id, backend.name],
            _answer(groups[reference_id, backend.name]),
            stopped_by.get(backend.name),
            true_label,
            conditions,
        )
        for variant in variants
        for backend in backends
    )


def _cell(
    variant: Variant,
    backend: BackendInfo,
    measurements: Sequence[Measurement],
    reference: Prediction | None,
    stopped_by: Failure | None,
    true_label: str | None,
    conditions: Conditions,
) -> Cell:
    decodings = [each for each in measurements if each.asked_for == "decode" and not each.is_warmup]
    measurements = [each for each in measurements if each.asked_for == "predict"]
    decoding_ms = tuple(_latency_ms(each) for each in decodings if each.prediction is not None)
    counted = [each for each in measurements if not each.is_warmup]
    samples_ms = tuple(_latency_ms(each) for each in counted if each.prediction is not None)
    failures = [each.failure for each in counted if each.failure is not None]
    failure_reasons = _most_frequent(failures)
    not_sent = sum(not each.was_sent for each in failures)
    if not_sent and stopped_by and stopped_by.code not in {each.code for each in failure_reasons}:
        failure_reasons += (stopped_by,)
    low, high = median_interval(samples_ms) or (None, None)
    answer = _answer(measurements)
    agrees = agreement(answer, reference)
    correct_top1, correct_top5 = correctness(answer.top if answer else (), true_label)
    validity, reasons = judge(
        backend, samples_ms, len(failures) - not_sent, failure_reasons, conditions, not_sent
    )
    if variant.canvas_noise and samples_ms:
        validity, reasons = with_noise(validity, reasons)
    return Cell(
        variant_id=variant.id,
        backend_name=backend.name,
        count=len(samples_ms),
        failures=len(failures) - not_sent,
        cold_ms=_cold_ms(measurements),
        samples_ms=samples_ms,
        p50_ms=percentile(samples_ms, 50) if samples_ms else None,
        p50_low_ms=low,
        p50_high_ms=high,
        p90_ms=percentile_from(SAMPLES_FOR_P90, samples_ms, 90),
        p99_ms=percentile_from(SAMPLES_FOR_P99, samples_ms, 99),
        min_ms=min(samples_ms, default=None),
        max_ms=max(samples_ms, default=None),
        server_ms=_stage_medians(counted),
        request_bytes=answer.request_bytes if answer else None,
        response_bytes=answer.response_bytes if answer else None,
        top=answer.top if answer else (),
        same_top1=agrees.same_top1,
        top5_overlap=agrees.top5_overlap,
        reference_score=agrees.reference_score,
        reference_score_change=agrees.reference_score_change,
        js_distance=agrees.js_distance,
        correct_top1=correct_top1,
        correct_top5=correct_top5,
        validity=validity,
        reasons=reasons,
        failure_reasons=failure_reasons,
        peers=tuple(each.prediction.peer for each in counted if each.prediction and each.prediction.peer),
        decode_request_ms=percentile(decoding_ms, 50) if decoding_ms else None,
        decode_request_samples_ms=decoding_ms,
        decode_response_bytes=max(
            (each.prediction.response_bytes for each in decodings if each.prediction), default=None
        ),
        warmup_samples_ms=tuple(
            _latency_ms(each) for each in measurements if each.is_warmup and each.prediction is not None
        ),
        not_sent=not_sent,
    )


def _stopped_by(measurements: Sequence[Measurement]) -> dict[str, Failure]:
    """Backend name -> its last failure before requests to it were left out; it may have been a warm-up's."""
    return {
        each.backend_name: each.failure
        for each in measurements
        if each.failure and each.failure.code in {"unreachable", "deadline"}
    }


def _latency_ms(measurement: Measurement) -> float:
    """To the microsecond, so that anyone can recompute each number from the exported samples."""
    return round(measurement.latency_ms or 0.0, 3)


def _cold_ms(measurements: Iterable[Measurement]) -> float | None:
    for each in measurements:
        if each.is_warmup and each.attempt == 0:
            return None if each.prediction is None else _latency_ms(each)
    return None


def _answer(measurements: Iterable[Measurement]) -> Prediction | None:
    """What the backend says: its first counted answer."""
    counted = (each for each in measurements if not each.is_warmup and each.asked_for == "predict")
    return next((each.prediction for each in counted if each.prediction), None)


def _stage_medians(counted: Iterable[Measurement]) -> dict[str, float]:
    stages: dict[str, list[float]] = defaultdict(list)
    for each in counted:
        for name, value_ms in each.prediction.server_ms.items() if each.prediction else ():
            if math.isfinite(value_ms):  # the server wrote it; it may write anything
                stages[name].append(value_ms)
    return {name: percentile(values_ms, 50) for name, values_ms in stages.items()}


def _most_frequent(failures: Sequence[Failure]) -> tuple[Failure, ...]:
    """One failure for each code, the most frequent code first."""
    first = {each.code: each for each in reversed(failures)}
    return tuple(first[code] for code, _ in Counter(each.code for each in failures).most_common())
