"""Exported reports that somebody changed: imported, and then shown and exported in every way there is."""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image

from bench.support.fake_backends import FakeBackend
from experiment.export.import_report import ReportRefused
from experiment.export.pictures import with_pictures
from experiment.export.report_json import report_dict, report_json
from experiment.images.read import read_image
from experiment.images.thumbs import thumb
from experiment.images.variants import make_variants
from experiment.measure.environment import environment
from experiment.measure.run import measure
from experiment.measure.schedule import planned_requests
from experiment.records import Label, Plan, Run, Variant
from experiment.report.summarise import summarise
from fuzz.mutate_json import mutated_json
from fuzz.target import Target
from fuzz.webapp_client import BOUNDARY, checked, client, form, part
from webapp.worker.import_report import imported

VIEWS = (
    *(
        "",
        ".json",
        ".csv",
        ".html",
        "/figures",
        "/figures?theme=dark&latency=p90&over=bytes",
        "/deciding",
        "/events",
    ),
    *(
        "?max_p50_ms=1",
        "?margin_points=0",
        ".csv?max_size_bytes=1&keep_top1=false",
        "/variants/16-jpeg-85/figures",
        "/copy/curl",
        "/copy/ghz",
    ),
    *("/follow-ups", ".zip", "/answers.csv", "/thumbs/original"),
)


def _feed(data: bytes) -> str:
    """What the import's own process would refuse is refused here, without starting it thousands of times."""
    try:
        imported(data, "run.json", "0" * 16)
    except ReportRefused:
        return "refused"
    web = client()
    sent = form(part("file", data, "run.json"))
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    answer = checked(web.post("/api/runs/import", data=sent, content_type=kind))
    if answer.status_code != 201:
        raise AssertionError(f"what could be read is refused: {answer.data[:300]!r}")
    run = answer.json["report_url"]
    for view in VIEWS:
        checked(web.get(run + view))
    checked(web.get(f"{run}/compare?with={answer.json['id']}"))
    checked(web.get("/api/runs?q=cat"))
    checked(web.get(answer.json["url"]))
    checked(web.delete(run))
    return "shown"


def _seeds() -> Iterator[bytes]:
    yield report_json(_measured(Plan(sizes_px=(16, 8), repeats=6, warmups=1))).encode()
    yield report_json(
        _measured(Plan(sizes_px=(16,), formats=("jpeg",), repeats=64, warmups=0, max_p50_ms=1.0))
    ).encode()


def _measured(plan: Plan) -> dict:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((40, 30)).save(out, "PNG")
    source = read_image(out.getvalue(), "cat.png", true_label="tabby")
    variants = make_variants(source, plan)
    backends = [FakeBackend("1 CPU", answer=_answer), FakeBackend("GPU", answer=_answer)]
    infos = [backend.info for backend in backends]
    run = Run(
        run_id="0123456789ab",
        state="done",
        created_at=1.0,
        source=source,
        plan=plan,
        environment=environment(),
        backends=tuple(infos),
        variants=tuple(variants),
        measurements=list(measure(plan, variants, backends)),
        requests_planned=planned_requests(plan, len(variants), infos),
    )
    pictures = {variant.id: thumb(variant.data) for variant in variants}
    return with_pictures(report_dict(summarise(run)), pictures)


def _answer(variant: Variant) -> tuple[Label, ...]:
    return (Label("tabby" if variant.size_px > 8 else "tiger cat", 0.7), Label("Egyptian cat", 0.2))


TOKENS = [b"NaN", b"1e999", b"[" * 30, b'"', b"\\ud800", b"\xff", b"null", b",", b":", b"}", b"\xef\xbb\xbf"]
TARGET = Target("report_import", lambda: list(_seeds()), _feed, TOKENS, mutated_json)
