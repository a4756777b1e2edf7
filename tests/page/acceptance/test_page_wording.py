"""Every message of the page's specification is reachable: where each is made, and what really makes it.

A row holds what the design says (with made-up numbers), what we say, and who says it: something that is
called here, a line of what Node makes of the page's modules, or a test that is named, in which it is read.
Where our words differ from the design's there is a note why.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from bench.support.fake_backends import FakeBackend
from experiment import refusals
from experiment.backends.addresses import parse_servers
from experiment.backends.base import describe, too_late
from experiment.backends.grpc import _too_large
from experiment.backends.probe import _loading, _no_answer, _no_such_model
from experiment.errors import ConfigRefused, ImageRefused
from experiment.images.header import Limits
from experiment.images.read import read_image
from experiment.measure.lane import Lane
from experiment.measure.schedule import Request
from experiment.records import BackendInfo, Label, Plan, Variant
from httpserver.problems import CRASH_TITLE
from tests.support.processes.app_process import CAT, ROOT
from tests.support.processes.browser import PATIENCE_MS, Visit, node, visiting
from tests.support.processes.web_process import web_process
from tests.support.processes.webapp_parts import serving, settings
from tests.support.records import (
    TABBY,
    TIGER,
    answer,
    answered,
    backend,
    environment,
    original,
    report,
    variant,
)
from webapp.backends import BackendRegistry
from webapp.runs.event_log import EventLog, Progress
from webapp.runs.live_run import LiveRun
from webapp.runs.recorder import Recorder
from webapp.worker.pipe import Ended


@dataclass(frozen=True)
class Row:
    """One message. `by` makes it, or names the browser test in which it is read."""

    design: str
    ours: str  # a pattern
    by: Callable[[], str] | str
    note: str = ""  # why ours differs


TEMPLATE = (ROOT / "templates" / "index.html").read_text("utf-8")

NODE = """
import { progressText } from "BASE/static/js/format.js";
import { pixelRefusal, refusal, sniff } from "BASE/static/js/setup/photo.js";
import { problemFrom } from "BASE/static/js/api.js";
import { photoFacts } from "BASE/static/js/setup/form.js";
import { setRefusal } from "BASE/static/js/setup/photo_set.js";
const limits = { max_bytes: 20e6, max_pixels: 50e6, max_photos: 2, max_set_bytes: 1e9 };
const READS = ["jpeg", "png"];
const words = (problem) => `${problem.title} ${problem.detail}`;
const run = (changes) => ({ done: 412, planned: 690, failed: 0, text: "", state: "running", ...changes });
const bytes = (text) => Uint8Array.from(text, (each) => each.charCodeAt(0));
process.stdout.write(JSON.stringify({
  uploading: progressText(run({ state: "uploading", sent_bytes: 3.2e6, total_bytes: 8e6 })),
  stopped: progressText(run({ state: "cancelled" })),
  pdf: words(refusal("notes.pdf", 9, sniff(bytes("%PDF-1.7________")), limits, READS)),
  heic: words(refusal("IMG_1.HEIC", 9, sniff(bytes("____ftypheic____")), limits, READS)),
  megapixels: words(pixelRefusal(10000, 6100, limits)),
  megabytes: words(refusal("a.png", 38e6, "png", limits, READS)),
  many: words(setRefusal({ count: 3, size_bytes: 1 }, limits)),
  none: words(setRefusal({ count: 0, size_bytes: 1 }, limits)),
  unseen: photoFacts({ width_px: null, size_bytes: 9000 }),
  crash: words(problemFrom(502, "text/html", "<html>")),
  proxy: words(problemFrom(413, "text/html", "<html>")),
}));
"""


@cache
def made_by_node() -> dict[str, str]:
    """What the page's own modules say."""
    script = NODE.replace("BASE", ROOT.as_uri())
    done = subprocess.run(
        [node(), "--input-type=module", "-"],
        input=script,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said: dict[str, str] = json.loads(done.stdout)
    return said


def page(key: str) -> Callable[[], str]:
    return lambda: made_by_node()[key]


def refused(data: bytes, name: str = "photo.jpg", **limits: int) -> str:
    with pytest.raises(ImageRefused) as caught:
        read_image(data, name, Limits(**limits))
    return caught.value.message


def bad_config() -> str:
    with pytest.raises(ConfigRefused) as caught:
        parse_servers("GPU:tf-gpu;8-CPU:tf-cpu8:8500;8-CPU:tf-cpu:8500")
    return caught.value.message


def queued(position: int, left_s: float | None) -> str:
    """What a queued run says."""
    said: list[Any] = []

    class Log:
        def add(self, kind: str, data: Any) -> None:
            said.append(data["text"])

    live = LiveRun.__new__(LiveRun)
    live.log = Log()  # type: ignore[assignment]
    live.announce(position, left_s)
    return str(said[0])


def loading() -> str:
    """Asked twice, the first time 12 s ago."""
    registry = BackendRegistry(settings(ROOT, tf_servers="8 CPU:tf:8500"), lambda: True)
    seen = replace(_loading(BackendInfo("8 CPU")), name="8 CPU")
    registry._timed(seen)
    registry._loading_since["8 CPU"] -= 12
    return registry._timed(seen).detail


def none_configured() -> str:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), tf_servers="") as app:
        photo = {"file": (BytesIO(CAT.read_bytes()), "cat.png")}
        return str(app.test_client().post("/api/runs", data=photo).json["detail"])


def script(name: str) -> str:
    return (ROOT / "static" / "js" / name).read_text("utf-8")


def log_of_a_run() -> EventLog:
    """At its 412th of 690 requests."""
    log = EventLog.__new__(EventLog)
    log.progress = progress = Progress()
    progress.planned, progress.done = 690, 412
    progress._started = time.monotonic() - 13.3
    return log


def end_of_a_run() -> str:
    """After 24 s."""
    live = LiveRun.__new__(LiveRun)
    live._started = time.monotonic() - 24
    live.log = log_of_a_run()
    return live._end_text(Ended("done", {}, None))


def measured(is_warmup: bool) -> str:
    recorder = Recorder.__new__(Recorder)
    recorder._variants = {"512-jpeg-85": "512 px JPEG"}
    recorder.log = log_of_a_run()
    measurement = {"backend_name": "GPU", "variant_id": "512-jpeg-85", "is_warmup": is_warmup}
    return recorder._measurement_text(measurement)


@cache
def progress_of_a_run() -> list[str]:
    """What a run says from its start, played by the scripted worker."""
    photo = {"file": (BytesIO(CAT.read_bytes()), "cat.png"), "plan": '{"sizes_px": [64], "repeats": 1}'}
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as app:
        client = app.test_client()
        stream = client.get(client.post("/api/runs", data=photo).json["events_url"]).text
    found = re.findall(r"event: progress\ndata: (.*)", stream)
    return [json.loads(each)["text"] for each in found]


@cache
def warnings() -> dict[str, str]:
    """Of one report that earns nearly all of them."""
    twice = [*answered([4.0] * 3, prediction=answer(TABBY)), *answered([4.0], prediction=answer(TIGER))]
    asked = answered([4.0] * 3, backend_name="2 CPU", prediction=answer(TABBY, peer="10.0.3.9:8500"))
    made = report(
        plan=Plan(sizes_px=(512,)),
        backends=(
            backend("8 CPU", address="10.0.3.7:8500"),
            backend("GPU", address="10.0.3.7:8501"),
            backend("2 CPU", replicas=3),
        ),
        variants=(original(), variant(canvas_noise=True, made_in="browser")),
        skipped_sizes_px=(8192,),
        measurements=[*twice, *asked],
        environment=environment(heartbeat_max_ms=38.0, heartbeat_late_share=0.5),
    )
    return {each.code: each.message for each in made.warnings}


def warning(code: str) -> str:
    return warnings()[code]


def late_in_a_run() -> str:
    """What a run keeps of a request without an answer in time."""
    copy, info = variant(2048, "png", size_bytes=2_400_000), backend("8-CPU")

    def answer(_: Variant) -> tuple[Label, ...]:
        raise too_late(info, describe(copy), 10.0)

    asked = iter([Request(copy, attempt=0, is_warmup=False)])
    lane = Lane(FakeBackend(answer=answer, info=info), asked, 10.0, None, Event())
    return next(lane.measurements()).failure.message


def in_test(file: str, name: str) -> str:
    """Names a test, in whichever folder its file is; the test of the named ones looks it up."""
    path = next((ROOT / "tests").rglob(f"{file}.py"))
    return f"{path.relative_to(ROOT)}::{name}"


def jpeg() -> bytes:
    out = BytesIO()
    Image.effect_noise((64, 64), 80).save(out, "JPEG")
    return out.getvalue()


NEWER = "The review of the page (November 2026) has plainer words."
PAGE, PROBE = "page/test_page", "experiment/backends/test_backends"
WORDING = "page/acceptance/test_page_wording"
ROWS = [
    # Empty
    Row("Start with a photo", "How small can your images get", lambda: TEMPLATE, note=NEWER),
    Row(
        "We make smaller copies of it …",
        "We shrink it, ask your model servers about every",
        lambda: TEMPLATE,
        note=NEWER,
    ),
    Row("Choose a photo", ">Choose a photo<", lambda: TEMPLATE),
    Row("Use the cat photo", ">Try a sample<", lambda: TEMPLATE, note=NEWER),
    Row(
        "Results appear here. …",
        "takes",
        in_test(
            "page/acceptance/test_page_first_look",
            "test_the_empty_page_shows_the_sample_run_under_the_drop_zone",
        ),
        note="The empty page shows a stored run of the sample in their place.",
    ),
    # Backends
    Row(
        "Ready. Round trip 2.1 ms.",
        "Round trip",
        in_test(PROBE, "test_a_probe_finds_a_ready_model_with_its_version"),
    ),
    Row(
        "Loading the model, 12 s so far. It joins the run when it is ready.",
        "^Loading the model, 12 s so far. It joins the next run when it is ready.$",
        loading,
        "a run asks those that were there when it began: only the next run has it",
    ),
    Row(
        "No answer at tf-gpu:8500 (connection refused). Is the pod running? `kubectl …`",
        r"^No answer at tf-gpu:8500 \(connection refused\). Is the server running\?$",
        lambda: _no_answer("tf-gpu:8500", "connection refused"),
        "kubectl only within a cluster: test_in_a_cluster_the_probe_says_which_pods_to_look_at",
    ),
    Row(
        "Is the pod running? …",
        "kubectl get pods",
        in_test(PROBE, "test_in_a_cluster_the_probe_says_which_pods_to_look_at"),
    ),
    Row(
        "This server has no model named inception. It serves: resnet50.",
        "^This server has no model named inception. Set MODEL_NAME, or `\\?model=` in TF_SERVERS.$",
        lambda: _no_such_model(BackendInfo("GPU")),
        "TensorFlow Serving has no request that lists its models",
    ),
    Row(
        "The model expects float images 224x224x3 …",
        "DT_FLOAT",
        in_test(PROBE, "test_a_probe_says_what_is_wrong_with_a_server"),
        "decoded pixels are never sent: the run would no longer be about formats",
    ),
    Row(
        "EMBEDDED", "Runs on this machine. To size hardware, measure the hardware", lambda: script("main.js")
    ),
    Row(
        "No backends are configured. …",
        "^No backends are configured. Set TF_SERVERS, for example",
        none_configured,
    ),
    Row(
        "TF_SERVERS has 2 problems: entry 1 … has no port; entry 3 repeats the name …",
        "^TF_SERVERS has 2 problems: entry 1 `GPU:tf-gpu` has no port.*; entry 3 .*repeats the name `8-CPU`",
        bad_config,
    ),
    # Progress
    Row("Uploading 3.2 of 8.0 MB", "^Uploading 3.2 of 8.0 MB$", page("uploading")),
    Row("Making 10 variants (6 done)", r"^Making 3 variants \(3 done\)$", lambda: progress_of_a_run()[0]),
    Row("Warming up GPU", "^Warming up GPU$", lambda: measured(is_warmup=True)),
    Row(
        "412 of 690: 512 px JPEG on 8-CPU, about 9 s left",
        "^412 of 690: 512 px JPEG on GPU, about [89] s left$",
        lambda: measured(is_warmup=False),
    ),
    Row(
        "Done in 24 s. 690 requests, 0 failed.",
        "^Done in 24 s. 412 requests, 0 failed.$",
        end_of_a_run,
    ),
    Row(
        "Stopped after 412 of 690 requests. …",
        "^Stopped after 412 of 690 requests. The results so far are kept.$",
        page("stopped"),
    ),
    Row(
        "Lost touch with the server. …",
        "Lost the connection to the server",
        in_test(PAGE, "test_a_broken_connection_is_said_and_made_good"),
    ),
    Row(
        "Back. Nothing was lost.",
        "Nothing was lost",
        in_test(PAGE, "test_a_broken_connection_is_said_and_made_good"),
    ),
    # Errors
    Row(
        "notes.pdf is not a photo we can read. …",
        "^notes.pdf is not a photo we can read. Use JPEG, PNG, WebP, AVIF, GIF or BMP.$",
        page("pdf"),
    ),
    Row(
        "the same, by the server",
        "^notes.pdf is not a photo we can read. Use JPEG, PNG",
        lambda: refused(b"%PDF-1.7 " * 9, "notes.pdf"),
    ),
    Row(
        "This is a HEIC photo from an iPhone. Export it as JPEG, or install the heic extra on the server.",
        "^This is a HEIC photo from an iPhone. Export it as JPEG, or set the camera to",
        page("heic"),
        "with pi-heif on the server there is no message: it reads the photo",
    ),
    Row(
        "the same, by the server",
        "^This is a HEIC photo from an iPhone. Export it as JPEG",
        lambda: refusals.heic_not_supported().message,
    ),
    Row(
        "This photo is 61 MP; the limit is 50 MP. [Shrink it here first]",
        "^This photo is 61 MP; the limit is 50 MP. Shrink it first",
        page("megapixels"),
        "a photo shrunk by the browser would no longer be the original that all is compared with",
    ),
    Row(
        "the same, by the server",
        "^This photo is 61 MP; the limit is 50 MP.",
        lambda: refusals.too_many_pixels(61_000_000, 50_000_000).message,
    ),
    Row("38 MB; the limit is 20 MB.", "^This photo is 38 MB; the limit is 20 MB.", page("megabytes")),
    Row(
        "The file ends too early; it may not have finished downloading.",
        "^The file ends too early; it may not have finished downloading.",
        lambda: refused(jpeg()[:1500]),
    ),
    Row(
        "The clipboard holds text, not an image.",
        "holds text, not an image",
        in_test(PAGE, "test_pasted_text_is_told_from_an_image"),
    ),
    Row(
        "8-CPU did not answer within 10 s for 2048 px PNG (2.4 MB). Other results are unaffected.",
        r"^8-CPU did not answer within 10 s for 2048 px PNG \(2.4 MB\). Other results are unaffected.$",
        late_in_a_run,
    ),
    Row(
        "The request (5.1 MB) is over this server's message limit (4.0 MB). Raise grpc max message size, …",
        "over this server's message limit .* Raise its gRPC message size limit, or use JPEG.$",
        lambda: _too_large(variant(2048, "png"), "5100000 vs. 4000000"),
        "the sizes are the server's own words, which differ from version to version",
    ),
    Row(
        "A proxy in front of 8-CPU refuses bodies this large.",
        "A proxy in front",
        in_test(PROBE, "test_every_way_to_fail_over_rest_has_its_code_and_sentence"),
    ),
    Row(
        "the same, in front of us", "^A proxy in front of this app refuses bodies this large.", page("proxy")
    ),
    Row(
        "This run was deleted (the last 200 are kept). If you have its JSON, drop it here.",
        "If you have its JSON, drop it here.",
        in_test(WORDING, "test_what_can_go_wrong_with_a_photo_and_a_run_has_its_sentence_and_a_way_on"),
        "nobody knows whether it was deleted or never existed",
    ),
    Row(
        "Two runs are in progress; yours is next, in about 40 s.",
        "^Another run is in progress; yours is next, in about 40 s.$",
        lambda: queued(1, 40.2),
        "one run measures at a time",
    ),
    Row("the same, further behind", "^3 runs are before yours.$", lambda: queued(3, 40.2)),
    Row(
        "the same, before its pace is known",
        "^Another run is in progress; yours is next.$",
        lambda: queued(1, None),
    ),
    Row(
        "Something went wrong on our side. Your settings are kept. Reference 7f3a9c.",
        "Something went wrong on our side",
        in_test(WORDING, "test_a_crash_has_a_reference_and_details_to_copy"),
    ),
    Row("the same, by a proxy", "^Something went wrong on our side. Your settings are kept.", page("crash")),
    Row("too many files", "^These are 3 photos; the limit is 2. Choose fewer", page("many")),
    Row("files without a photo", "^There are no photos among these files. Use JPEG", page("none")),
    Row(
        "a photo that the browser can't decode",
        "^this browser can't show it; the server may still read it, 9.0 KB$",
        page("unseen"),
    ),
    Row(
        "a damaged JSON",
        "is damaged",
        in_test("page/test_page_import", "test_a_set_comes_back_too_and_a_damaged_file_says_what_to_do"),
    ),
    # Warnings
    Row(
        "Your browser changes pixels it reads back (fingerprinting protection). …",
        "^Your browser changes pixels it reads back .* Use server resize, or allow canvas for this site.$",
        lambda: warning("W1"),
    ),
    Row(
        "20 samples are too few for p95. Add 44 more to see p90.",
        "^20 samples per cell give a median; p90 needs 64, p99 needs 662.$",
        lambda: warning("W2"),
        "p95 is never shown: between the floors of p90 and p99 nothing is promised",
    ),
    Row(
        "GPU and 8-CPU run on the same machine (10.0.3.7). Measured in parallel they slow each other.",
        "run on the same machine .*Measured in parallel they may slow each other. Measure one at a time",
        lambda: warning("W3"),
        "host names can't tell whether two servers share cores",
    ),
    Row(
        "This app was busy while measuring (event delay up to 38 ms). …",
        "^Other programs slowed this machine; times under 10 ms may be off.$",
        lambda: warning("W4"),
        "a late tick's own samples are set apart instead; this is of runs that did not record when",
    ),
    Row(
        "All 60 answers came from one pod although the service has 3. …",
        "although it has",
        lambda: warning("W5"),
    ),
    Row("The original is smaller than 1024 px, so …", "^The original is smaller than", lambda: warning("W6")),
    Row(
        "The answer changes between repeats of identical bytes …",
        "is not deterministic",
        lambda: warning("W7"),
    ),
]


MADE = [row for row in ROWS if not isinstance(row.by, str)]
NAMED = [row for row in ROWS if isinstance(row.by, str)]


@pytest.mark.parametrize("row", MADE, ids=lambda row: row.design[:60])
def test_the_message_is_made_by_what_the_page_or_the_server_runs(row: Row):
    assert callable(row.by)
    said = row.by()
    assert re.search(row.ours, said, re.DOTALL), said


@pytest.mark.parametrize("row", NAMED, ids=lambda row: row.design[:60])
def test_the_message_is_read_in_the_test_that_is_named(row: Row):
    path, _, name = str(row.by).partition("::")
    text = (ROOT / path).read_text("utf-8")
    assert f"def {name}(" in text
    assert row.ours in text


@pytest.mark.browser
def test_what_can_go_wrong_with_a_photo_and_a_run_has_its_sentence_and_a_way_on(visit: Visit):
    page = visit.open("/runs/0123456789abcdef")
    notice = page.locator(".notice")
    expect(notice).to_contain_text("Run not found.", timeout=PATIENCE_MS)
    expect(notice).to_contain_text("If you have its JSON, drop it here.")
    assert notice.locator("button").all_inner_texts() == ["Choose its JSON", "Start a new run", "Dismiss"]
    tiff = b"II*\0" + bytes(60)
    for name, data, words, ways in (
        ("scan.tif", tiff, "scan.tif is a TIFF file. Neither this server nor this browser reads it.", ()),
        ("huge.png", huge_png(), "This photo is 61 MP; the limit is 50 MP.", ("Shrink it here first",)),
        ("empty.png", b"", "empty.png is empty.", ()),
    ):
        page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": data})
        expect(notice).to_contain_text(words, timeout=PATIENCE_MS)
        assert notice.locator("button").all_inner_texts() == [*ways, "Choose another", "Dismiss"]
    cut = CAT.read_bytes()[:40]  # a signature and a size, and no picture that anybody could show
    page.set_input_files("#file", {"name": "cut.png", "mimeType": "image/png", "buffer": cut})
    expect(page.locator("#photo-facts")).to_contain_text("this browser can't show it", timeout=PATIENCE_MS)
    page.click("#run")
    expect(notice).to_contain_text("ends too early", timeout=PATIENCE_MS)


def huge_png() -> bytes:
    """10,000 by 6,100 white pixels in a few hundred bytes a row at most."""
    out = BytesIO()
    Image.new("1", (10_000, 6_100), 1).save(out, "PNG")
    return out.getvalue()


@pytest.mark.browser
def test_a_crash_has_a_reference_and_details_to_copy(browser, tmp_path):
    with web_process(tmp_path) as web, visiting(browser, web.url) as visit:
        page = visit.open()
        photo = {"name": "broken-worker.png", "mimeType": "image/png", "buffer": CAT.read_bytes()}
        page.set_input_files("#file", photo)
        page.locator("#photo-image[src]").wait_for()
        page.click("#run")
        notice = page.locator(".notice")
        expect(notice).to_contain_text(CRASH_TITLE, timeout=PATIENCE_MS)  # Something went wrong on our side
        expect(notice).to_contain_text(re.compile(r"Your settings are kept\. Reference \w+\."))
        assert notice.locator("button").all_inner_texts() == ["Try again", "Copy details", "Dismiss"]
        page.get_by_role("button", name="Copy details").click()
        expect(page.locator("#announcer")).to_contain_text(
            re.compile("Details copied|Press Ctrl"), timeout=PATIENCE_MS
        )
        assert notice.is_visible()
