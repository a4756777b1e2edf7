"""summarise(): records in, report out. Pure arithmetic; nothing is measured or stored here."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from experiment.records import (
    REFERENCE_ID,
    SCHEMA_VERSION,
    BackendInfo,
    BreakingPoint,
    Cell,
    Failure,
    LoadCurve,
    Measurement,
    Prediction,
    Report,
    Run,
    Variant,
)
from experiment.report.additions import Session, differing, joined, retried
from experiment.report.agreement import agreement, correctness, first_answer
from experiment.report.contention import rivals_for_cores
from experiment.report.goals import Results
from experiment.report.recommendation import recommend
from experiment.report.resizers import compare_resizers
from experiment.report.statistics import (
    Samples,
    is_disturbed,
    latency_stats,
    percentile,
    percentile_from,
    set_apart,
)
from experiment.report.validity import Conditions, judge, was_busy, with_noise
from experiment.report.warnings import warnings_of


def summarise(
    run: Run,
    added: Sequence[Session] = (),
    breaking_points: Sequence[BreakingPoint] = (),
    load: Sequence[LoadCurve] = (),
) -> Report:
    """Everything that follows from what was measured so far, and `added` afterwards.

    There is one cell for each variant on each backend; those without measurements are empty and say why.
    """
    first, run = run.measurements, joined(run, added)
    busy = was_busy(
        run.environment, (taken.late_ms for taken in run.measurements if taken.latency_ms is not None)
    )
    rivals = rivals_for_cores(run.backends, run.plan.order)
    cells = _cells(run, Conditions(run.state, rivals, busy, _interrupted(run.measurements)))
    results = Results(
        run.plan,
        run.state,
        run.variants,
        run.backends,
        cells,
        run.source.true_label,
        (run.source.original or run.source).size_bytes,
        tuple(breaking_points),
    )
    failures = [measurement.failure for measurement in run.measurements if measurement.failure is not None]
    return Report(
        schema_version=SCHEMA_VERSION,
        run_id=run.run_id,
        state=run.state,
        created_at=run.created_at,
        source=run.source,
        plan=run.plan,
        environment=run.environment,
        backends=tuple(run.backends),
        variants=tuple(run.variants),
        skipped_sizes_px=tuple(run.skipped_sizes_px),
        cells=cells,
        recommendation=recommend(results),
        warnings=(
            *warnings_of(run, cells, was_busy=busy),
            *differing(first, added, run.variants),
            *retried(first, added),
        ),
        requests_planned=run.requests_planned,
        requests_done=len(run.measurements),
        requests_failed=sum(failure.was_sent for failure in failures),
        requests_not_sent=sum(not failure.was_sent for failure in failures),
        failure=run.failure,
        additions=tuple(session.addition for session in added),
        breaking_points=tuple(breaking_points),
        load=tuple(load),
        resizers=compare_resizers(run.variants, cells),
    )


def _interrupted(measurements: Sequence[Measurement]) -> frozenset[str]:
    """Backends that could not be reached at some time, and answered at another."""
    answered = {
        measurement.backend_name for measurement in measurements if measurement.prediction is not None
    }
    lost = {
        measurement.backend_name
        for measurement in measurements
        if measurement.failure and measurement.failure.code == "unreachable"
    }
    return frozenset(answered & lost)


def _cells(run: Run, conditions: Conditions) -> tuple[Cell, ...]:
    groups: dict[tuple[str, str], list[Measurement]] = defaultdict(list)
    for measurement in run.measurements:
        groups[measurement.variant_id, measurement.backend_name].append(measurement)
    reference_id = next((variant.id for variant in run.variants if variant.is_reference), REFERENCE_ID)
    stopped_by = _stopped_by(run.measurements)
    return tuple(
        _cell(
            variant,
            backend,
            groups[variant.id, backend.name],
            first_answer(groups[reference_id, backend.name]),
            stopped_by.get(backend.name),
            run.source.true_label,
            conditions,
        )
        for variant in run.variants
        for backend in run.backends
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
    decodings = [
        measurement
        for measurement in measurements
        if measurement.asked_for == "decode" and not measurement.is_warmup
    ]
    measurements = [measurement for measurement in measurements if measurement.asked_for == "predict"]
    counted = [measurement for measurement in measurements if not measurement.is_warmup]
    decoding_ms = _samples_ms(decodings)
    failures = [measurement.failure for measurement in counted if measurement.failure is not None]
    failure_reasons = _most_frequent(failures)
    not_sent = sum(not failure.was_sent for failure in failures)
    if not_sent and stopped_by and stopped_by.code not in {failure.code for failure in failure_reasons}:
        failure_reasons += (stopped_by,)
    answered = [measurement for measurement in counted if measurement.prediction is not None]
    disturbed = [is_disturbed(measurement.rounded_ms, measurement.late_ms) for measurement in answered]
    kept, apart = set_apart(answered, disturbed)
    samples_ms, apart_ms = _samples_ms(kept), _samples_ms(apart)
    samples = Samples(samples_ms, apart_ms, sum(disturbed) - len(apart))
    answer = first_answer(measurements)
    correct_top1, correct_top5 = correctness(answer.top if answer else (), true_label)
    validity, reasons = judge(
        backend, samples, len(failures) - not_sent, failure_reasons, conditions, not_sent
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
        **latency_stats(samples_ms, apart_ms),
        server_ms=_stage_medians(kept),
        request_bytes=answer.request_bytes if answer else None,
        response_bytes=answer.response_bytes if answer else None,
        top=answer.top if answer else (),
        **asdict(agreement(answer, reference)),
        correct_top1=correct_top1,
        correct_top5=correct_top5,
        validity=validity,
        reasons=reasons,
        failure_reasons=failure_reasons,
        peers=tuple(
            measurement.prediction.peer
            for measurement in kept
            if measurement.prediction and measurement.prediction.peer
        ),
        decode_request_ms=percentile_from(1, decoding_ms, 50),
        decode_request_samples_ms=decoding_ms,
        decode_response_bytes=max(
            (measurement.prediction.response_bytes for measurement in decodings if measurement.prediction),
            default=None,
        ),
        batches=tuple(
            measurement.prediction.batch
            for measurement in kept
            if measurement.prediction and measurement.prediction.batch
        ),
        warmup_samples_ms=_samples_ms(measurement for measurement in measurements if measurement.is_warmup),
        not_sent=not_sent,
        disturbed_samples_ms=apart_ms,
        disturbed_counted=samples.disturbed_counted,
    )


def _samples_ms(measurements: Iterable[Measurement]) -> tuple[float, ...]:
    """The latencies of answered requests, in ms."""
    return tuple(measurement.rounded_ms for measurement in measurements if measurement.prediction is not None)


def _stopped_by(measurements: Sequence[Measurement]) -> dict[str, Failure]:
    """Backend name -> its last failure before requests to it were left out; it may have been a warm-up's."""
    return {
        measurement.backend_name: measurement.failure
        for measurement in measurements
        if measurement.failure and measurement.failure.code in {"unreachable", "deadline"}
    }


def _cold_ms(measurements: Iterable[Measurement]) -> float | None:
    for measurement in measurements:
        if measurement.is_warmup and measurement.attempt == 0:
            return None if measurement.prediction is None else measurement.rounded_ms
    return None


def _stage_medians(counted: Iterable[Measurement]) -> dict[str, float]:
    stages: dict[str, list[float]] = defaultdict(list)
    for measurement in counted:
        for name, value_ms in measurement.prediction.server_ms.items() if measurement.prediction else ():
            if math.isfinite(value_ms):  # the server wrote it; it may write anything
                stages[name].append(value_ms)
    return {name: percentile(values_ms, 50) for name, values_ms in stages.items()}


def _most_frequent(failures: Sequence[Failure]) -> tuple[Failure, ...]:
    """One failure for each code, the most frequent code first."""
    first = {failure.code: failure for failure in reversed(failures)}
    return tuple(first[code] for code, _ in Counter(failure.code for failure in failures).most_common())
