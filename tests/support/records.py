"""Small builders of records, and one whole sample report, for any test that needs them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import Any

from experiment.records import (
    BackendInfo,
    Failure,
    Label,
    LoadCurve,
    LoadPoint,
    Measurement,
    Plan,
    Prediction,
    Report,
    Run,
    SourceImage,
    Variant,
)
from experiment.report.statistics import latency_stats
from experiment.report.summarise import summarise

TABBY = (
    Label("tabby", 0.71),
    Label("tiger cat", 0.2),
    Label("lynx", 0.05),
    Label("fox", 0.03),
    Label("dog", 0.01),
)
TIGER = (
    Label("tiger cat", 0.41),
    Label("tabby", 0.35),
    Label("lynx", 0.2),
    Label("cup", 0.03),
    Label("dog", 0.01),
)


def source(**changes: Any) -> SourceImage:
    """A 4000 x 3000 px JPEG of 3 MB, without pixels."""
    values: dict[str, Any] = {
        "name": "cat.jpg",
        "data": b"",
        "sha256": sha256("cat.jpg"),
        "media_type": "image/jpeg",
        "size_bytes": 3_000_000,
        "width_px": 4000,
        "height_px": 3000,
        "exif_orientation": 1,
        "decode_ms": 48.7,
    }
    return SourceImage(**values | changes)


def original(**changes: Any) -> Variant:
    """The reference of source(), sent as uploaded."""
    values: dict[str, Any] = {
        "id": "original",
        "size_px": 4000,
        "width_px": 4000,
        "height_px": 3000,
        "format": "jpeg",
        "quality": None,
        "encoder": "as uploaded",
        "size_bytes": 3_000_000,
        "sha256": sha256("original"),
        "decode_ms": 48.7,
        "resize_ms": None,
        "encode_ms": None,
        "is_reference": True,
    }
    return Variant(**values | changes)


def variant(size_px: int = 512, format: str = "jpeg", **changes: Any) -> Variant:
    """A smaller copy. JPEG takes about 1.1 and PNG about 12 bits per pixel."""
    quality = 85 if format == "jpeg" else None
    id_ = f"{size_px}-{format}" + (f"-{quality}" if quality else "")
    pixels = size_px * size_px * 3 // 4
    values: dict[str, Any] = {
        "id": id_,
        "size_px": size_px,
        "width_px": size_px,
        "height_px": size_px * 3 // 4,
        "format": format,
        "quality": quality,
        "encoder": "Pillow libjpeg-turbo q85 4:2:0" if quality else "Average filter + isal level 3",
        "size_bytes": round(pixels * (0.14 if quality else 1.5)),
        "sha256": sha256(id_),
        "decode_ms": 48.7,
        "resize_ms": 2.0 + pixels / 1e5,
        "encode_ms": 0.2 + pixels / (6e5 if quality else 1.5e5),
    }
    return Variant(**values | changes)


def backend(name: str = "8 CPU", **changes: Any) -> BackendInfo:
    """A backend that is ready."""
    address = f"tf-{name.lower().replace(' ', '-')}:8500"
    values: dict[str, Any] = {
        "name": name,
        "address": address,
        "state": "ready",
        "detail": "Ready. Round trip 2.1 ms.",
    }
    return BackendInfo(**values | changes)


def no_gpu() -> BackendInfo:
    """The GPU backend of a machine that has none."""
    return BackendInfo("GPU", device="GPU", embedded=True, state="absent", detail="No GPU on this machine.")


def answer(top: Sequence[Label] = TABBY, **changes: Any) -> Prediction:
    """A prediction as the default model gives it."""
    values: dict[str, Any] = {"top": tuple(top), "request_bytes": 1000, "response_bytes": 200}
    return Prediction(**values | changes)


def answered(
    latencies_ms: Sequence[float],
    variant_id: str = "original",
    backend_name: str = "8 CPU",
    prediction: Prediction | None = None,
    is_warmup: bool = False,
) -> list[Measurement]:
    """One answered request for each latency."""
    return [
        Measurement(
            variant_id, backend_name, attempt, is_warmup, 1e9 + attempt, latency_ms, prediction or answer()
        )
        for attempt, latency_ms in enumerate(latencies_ms)
    ]


def failed(
    count: int,
    variant_id: str = "original",
    backend_name: str = "8 CPU",
    code: str = "deadline",
    message: str = "8 CPU did not answer within 10 s.",
    is_warmup: bool = False,
) -> list[Measurement]:
    """`count` requests that failed after a time that must never be counted."""
    failure = Failure(code, message)
    return [
        Measurement(variant_id, backend_name, attempt, is_warmup, 1e9 + attempt, 10_000.0, None, failure)
        for attempt in range(count)
    ]


def report(**changes: Any) -> Report:
    """summarise() with everything that `changes` does not give at its plainest."""
    values: dict[str, Any] = {
        "run_id": "r1",
        "state": "done",
        "created_at": 1_777_890_030.0,
        "source": source(),
        "plan": Plan(sizes_px=(512,), seed=7),
        "environment": environment(),
        "backends": (backend(),),
        "variants": (original(),),
        "skipped_sizes_px": (),
        "measurements": (),
        "requests_planned": 23,
    }
    values |= changes
    later = [values.pop(key, ()) for key in ("added", "breaking_points", "load")]
    return summarise(Run(**values), *later)


def load_point(offered_per_s: float, samples_ms: Sequence[float], **changes: Any) -> LoadPoint:
    """A rate at which all requests were answered, half of them rightly."""
    rounded = tuple(round(sample, 3) for sample in samples_ms)
    stats = latency_stats(rounded)
    seconds = len(samples_ms) / offered_per_s
    values: dict[str, Any] = {
        "offered_per_s": offered_per_s,
        "achieved_per_s": offered_per_s,
        "goodput_per_s": offered_per_s / 2,
        "seconds": seconds,
        "trials": 1,
        "count": len(samples_ms),
        "failures": 0,
        "over_limit": sum(sample > 100 for sample in samples_ms),
        **{key: stats[key] for key in ("p50_ms", "p90_ms", "p99_ms", "max_ms")},  # type: ignore[literal-required]
        "keeps_limit": all(sample <= 100 for sample in samples_ms),
        "validity": "VALID",
        "samples_ms": rounded,
    }
    return LoadPoint(**values | changes)


def load_curve(variant_id: str = "original", backend_name: str = "8 CPU", **changes: Any) -> LoadCurve:
    """41 requests/s within p99 <= 100 ms; from 20 requests/s on, latency grows."""
    values: dict[str, Any] = {
        "variant_id": variant_id,
        "backend_name": backend_name,
        "measured_at": "2026-05-04T10:25:30Z",
        "limit_ms": 100.0,
        "budget_s": 20.0,
        "seed": 7,
        "outcome": "found",
        "percentile": 99,
        "sentence": "at most 41 requests/s at p99 ≤ 100 ms (95 %: 39 to 43)",
        "per_s": 41.0,
        "low_per_s": 39.0,
        "high_per_s": 43.0,
        "knee_per_s": 20.0,
        "unloaded_ms": 19.0,
        "right_per_s": 20.0,
        "cores": 8,
        "expected": "tabby",
        "payload": "The bytes of the run, as they were.",
        "points": (
            load_point(10.0, [20.0] * 40),
            load_point(20.0, [22.0] * 80),
            load_point(40.0, [30.0] * 98 + [90.0] * 2),
            load_point(60.0, [150.0] * 100),
        ),
    }
    return LoadCurve(**values | changes)


def environment(**changes: Any) -> dict[str, Any]:
    """A quiet machine."""
    facts = {
        "app_version": "0.1.0",
        "python": "3.11.2",
        "cpu_model": "AMD EPYC 9B14",
        "cpu_count": 2,
        "load_1m": 0.4,
        "heartbeat_max_ms": 3.2,
        "heartbeat_late_share": 0.0,
    }
    return facts | changes


# Service time of the sample backends: a fixed part, and one that grows with the pixels to decode.
SAMPLE_SERVICE_MS = {"GPU": (3.0, 1.0), "8 CPU": (7.0, 1.0), "1 CPU": (46.0, 1.0)}


def sample_report(
    backend_names: Sequence[str] = ("GPU", "8 CPU", "1 CPU"), repeats: int = 20, **changes: Any
) -> Report:
    """A finished run: the original and ten variants on each backend.

    The numbers are made up and always the same. The answer stays "tabby" down to 256 px
    and changes to "tiger cat" at 128 px. Backends named otherwise than those of
    SAMPLE_SERVICE_MS behave like "8 CPU".
    """
    plan = Plan(seed=7, repeats=repeats)
    variants = sample_variants(plan)
    backends = tuple(
        backend(name, cpus=int(name[0]) if name[0].isdigit() else None) for name in backend_names
    )
    measurements = [
        each
        for info in backends
        for each_variant in variants
        for each in sample_measurements(each_variant, info.name, plan)
    ]
    values: dict[str, Any] = {
        "plan": plan,
        "variants": variants,
        "backends": backends,
        "measurements": measurements,
        "requests_planned": len(measurements),
    }
    return report(**values | changes)


def sample_variants(plan: Plan) -> tuple[Variant, ...]:
    """The original and one variant for each size and format of the plan."""
    return (original(), *(variant(size_px, key) for size_px in plan.sizes_px for key in plan.formats))


def sample_measurements(of: Variant, backend_name: str, plan: Plan) -> list[Measurement]:
    """Warm-ups and counted requests of one cell of the sample report."""
    noise = random.Random(f"{of.id} {backend_name}")
    fixed_ms, decode_factor = SAMPLE_SERVICE_MS.get(backend_name, SAMPLE_SERVICE_MS["8 CPU"])
    decode_ms = decode_factor * of.width_px * of.height_px / (5.5e4 if of.format == "png" else 4.2e5)
    server_ms = {"queue": 0.05, "decode": decode_ms, "inference": fixed_ms}
    wire_ms = 0.6 + of.size_bytes / 1e6
    answers = answer(sample_top(of), server_ms=server_ms, request_bytes=of.size_bytes + 60)
    slow_ms = [
        (decode_ms + fixed_ms + wire_ms) * (1 + 0.04 * noise.random() ** 2) for _ in range(plan.repeats)
    ]
    return [
        *answered([9 * fixed_ms] * plan.warmups, of.id, backend_name, answers, is_warmup=True),
        *answered(slow_ms, of.id, backend_name, answers),
    ]


def sample_top(of: Variant) -> tuple[Label, ...]:
    """The sample model's answer: surer with more pixels, a little surer without JPEG's blocks."""
    if of.size_px < 256:
        return TIGER
    score = {256: 0.52, 512: 0.66, 1024: 0.70}.get(of.size_px, 0.71) + (0.02 if of.format == "png" else 0.0)
    return (Label("tabby", score), Label("tiger cat", round(0.9 - score, 4)), *TABBY[2:])


def sha256(text: str) -> str:
    """A stand-in for the hash of some bytes."""
    return hashlib.sha256(text.encode()).hexdigest()
