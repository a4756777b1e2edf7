"""The run on the page again by curl, Python and the command line ("Use via API"), and its read-only link."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from experiment.cli.main import _options, _plan_fields
from experiment.codec import to_dict
from experiment.copy_as.whole_run import KINDS, whole_run
from experiment.measure.plan import parse_plan
from experiment.records import BackendInfo
from experiment.settings import SharedSettings
from tests.support.photo_sets import write_folders
from tests.support.processes.app_process import CAT, ROOT

ODD = """O'Brien; "$(touch pwned)" `touch pwned`, 1.png"""
PLAN = {
    "sizes_px": [48, 32],
    "formats": ["jpeg", "webp"],
    "jpeg_qualities": [70, 40],
    "webp_qualities": [60],
    "subsamplings": ["4:4:4"],
    "resamplers": ["box"],
    "repeats": 2,
    "warmups": 1,
    "order": "one_at_a_time",
    "seed": 7,
    "timeout_s": 20,
    "backend_names": ["1 CPU"],
    "max_p50_ms": 900,
    "max_size_bytes": 90000,
    "keep_top1": False,
    "margin_points": 12.5,
    "copies": "per_request",
    "uplink_mbit_s": 25,
    "split_decode": False,
}


def finished(app: Any, data: dict[str, str], files: list[tuple[str, Any]], query: str = "") -> dict[str, Any]:
    answer = requests.post(f"{app.url}/api/runs{query}", data=data, files=files, timeout=60)
    assert answer.status_code == 202, answer.text
    return app.finished(answer.json()["id"])


@pytest.fixture(scope="module")
def ran(app):
    """The report of a run of a photo with an odd name and nothing as usual."""
    return finished(
        app, {"plan": json.dumps(PLAN), "true_label": "tabby"}, [("file", (ODD, CAT.read_bytes()))]
    )


def command(app: Any, run_id: str, kind: str, query: str = "") -> str:
    answer = requests.get(f"{app.url}/api/runs/{run_id}/again/{kind}{query}", timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.text


def executed(app: Any, text: str, kind: str, folder: Path) -> dict[str, Any]:
    """Runs what was copied as somebody would, and gives the report that it led to."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PIXELCOST_")}
    environ |= {"PIXELCOST_DATA_DIR": str(app.data_dir), "PYTHONPATH": str(ROOT)}
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    call = [sys.executable, "-c", text] if kind == "python" else ["sh", "-c", text]
    if kind == "cli":
        call[-1] = f"{text.rstrip()} --json report.json"
    done = subprocess.run(
        call, cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode in ({0, 1} if kind == "cli" else {0}), done.stdout + done.stderr
    if kind == "cli":
        return json.loads((folder / "report.json").read_text("utf-8"))
    found = re.search(r"/api/runs/(\w+)", done.stdout)
    assert found, done.stdout + done.stderr
    return app.finished(found[1])


def same_run(report: dict[str, Any], other: dict[str, Any]) -> None:
    assert other["state"] == "done"
    assert other["plan"] == report["plan"]
    assert [row["id"] for row in other["variants"]] == [row["id"] for row in report["variants"]]
    cells = [
        {(cell["variant_id"], cell["backend_name"], cell["count"]) for cell in each["cells"]}
        for each in (report, other)
    ]
    assert cells[0] == cells[1]


@pytest.mark.parametrize("kind", KINDS)
def test_each_command_measures_the_same_photo_by_the_same_plan(app, ran, kind, tmp_path):
    (tmp_path / ODD).write_bytes(CAT.read_bytes())
    again = executed(app, command(app, ran["run_id"], kind), kind, tmp_path)
    same_run(ran, again)
    assert again["source"]["sha256"] == ran["source"]["sha256"]
    assert again["source"]["true_label"] == "tabby"
    assert not list(tmp_path.glob("pwned"))


@pytest.fixture(scope="module")
def set_ran(app, tmp_path_factory):
    """A folder of photos whose own folders are their labels, and the report of it as the page sends it."""
    place = tmp_path_factory.mktemp("set")
    folder = write_folders(place / "odd 'colours'", 3)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    parts = [("file", (path.relative_to(place).as_posix(), path.read_bytes())) for path in paths]
    plan = {"sizes_px": [24], "formats": ["png"], "seed": 3, "backend_names": ["1 CPU"], "warmups": 0}
    return place, finished(app, {"plan": json.dumps(plan)}, parts, "?photos=many")


@pytest.mark.parametrize("kind", KINDS)
def test_each_command_measures_the_same_folder(app, set_ran, kind, tmp_path):
    place, report = set_ran
    again = executed(app, command(app, report["run_id"], kind), kind, place)
    same_run(report, again)
    facts = [
        {key: each["photo_set"][key] for key in ("count", "measured", "labelled")} for each in (report, again)
    ]
    assert facts[0] == facts[1]


def words_of(text: str) -> list[str]:
    """As a shell reads a command over several lines with comments."""
    return shlex.split(text.replace("\\\n", " "), comments=True)


def made(kind: str, **changes: Any) -> str:
    """A command of a report that nobody measured."""
    report = {
        "plan": to_dict(parse_plan({"seed": 1})),
        "source": {"name": "cat.png", "true_label": None},
        "photo_set": None,
    }
    infos = changes.pop("infos", [BackendInfo(name="1 CPU", embedded=True)])
    needs_token = changes.pop("needs_token", False)
    return KINDS[kind](whole_run(report | changes, infos, "http://pc:30501/", needs_token))


def test_the_command_line_reads_every_key_of_a_plan_back():
    plan = parse_plan(PLAN)
    words = words_of(made("cli", plan=to_dict(plan)))
    assert words[:3] == ["python", "-m", "experiment"]
    fields = _plan_fields(_options(words[3:]), SharedSettings())
    assert to_dict(parse_plan(fields)) == to_dict(plan)


def test_copies_of_a_browser_are_made_by_the_server_and_the_command_says_so():
    plan = to_dict(parse_plan({"seed": 1, "resize_in": "both", "browser_engines": ["canvas"]}))
    for kind in KINDS:
        text = made(kind, plan=plan)
        assert "# A browser made copies for this run; here the server makes them." in text
        assert "canvas" not in text and "resize_in" not in text


def test_other_servers_are_named_as_the_command_line_takes_them():
    infos = [
        BackendInfo(name="GPU", address="tf-gpu:8500", model="res net", price_per_hour=0.35),
        BackendInfo(name="GPU over REST", protocol="rest", address="tf-gpu:8501"),
        BackendInfo(name="Mine", address="10.0.0.7:8500", added_as="box:8500"),
        BackendInfo(name="Queue", protocol="queue", address="queue://redis:6379/serving_stream"),
    ]
    words = words_of(made("cli", infos=infos))
    assert words[words.index("--servers") + 1] == (
        "GPU:tf-gpu:8500?rest=8501&model=res+net&price_per_hour=0.35;Mine:box:8500;"
        "Queue:queue://redis:6379/serving_stream"
    )
    sent = words_of(made("curl", infos=infos))
    (servers,) = [word for word in sent if word.startswith("servers=")]
    assert [row["address"] for row in json.loads(servers.removeprefix("servers="))] == ["box:8500"]


def test_no_command_holds_the_token_and_those_that_need_it_say_where_they_read_it():
    for kind in ("curl", "python"):
        text = made(kind, needs_token=True)
        assert "# Set PIXELCOST_TOKEN to the server's token first." in text
        assert "PIXELCOST_TOKEN" in text.split("\n", 2)[2]
    assert "TOKEN" not in made("cli", needs_token=True)
    assert "TOKEN" not in made("curl")


@pytest.mark.parametrize("name", ["-x.png", 'a"b\\c.png', "a;type=b.png"])
def test_no_name_of_a_photo_becomes_an_option_or_ends_early(name):
    path = f"./{name}" if name.startswith("-") else name
    quoted = path.replace("\\", "\\\\").replace('"', '\\"')
    assert f'file=@"{quoted}"' in words_of(made("curl", source={"name": name}))
    assert words_of(made("cli", source={"name": name}))[3] == path


def test_photos_from_several_places_are_asked_for_in_one_folder_and_a_zip_file_is_sent_as_it_is(tmp_path):
    loose = {"source": {"name": "3 photos"}, "photo_set": {"count": 3, "given_labels": {"name": "my.csv"}}}
    text = made("curl", **loose)
    assert "# Run it where a folder named photos with these photos lies." in text
    assert 'labels=@"my.csv"' in words_of(text)
    assert "--photos photos" in made("cli", **loose)
    packed = {
        "source": {"name": "a b.zip"},
        "photo_set": {"count": 3, "given_labels": {"name": "x/labels.csv"}},
    }
    words = words_of(made("curl", **packed))
    assert 'file=@"a b.zip"' in words and words[-1].endswith("?photos=many")
    assert not any("labels" in word for word in words)


def test_the_goals_of_the_query_are_in_the_command(app, ran):
    words = words_of(command(app, ran["run_id"], "cli", "?max_p50_ms=50&keep_top1=true"))
    assert words[words.index("--max-p50-ms") + 1] == "50.0" and "--no-keep-top1" not in words
    assert requests.get(f"{app.url}/api/runs/{ran['run_id']}/again/ghz", timeout=30).status_code == 404


@pytest.mark.browser
def test_the_page_shows_the_three_commands_at_its_foot_and_copies_them(visit, app, ran):
    page = visit.open(f"/runs/{ran['run_id']}?max_size_bytes=1000")
    page.click("#share > summary")
    page.get_by_role("button", name="Use via API").click()
    page.locator("#use-api .command").first.wait_for()
    for kind, name in {"curl": "curl", "python": "Python", "cli": "Command line"}.items():
        box = page.locator(f'#use-api .command[data-kind="{kind}"]')
        assert (
            box.locator("pre").inner_text().strip()
            == command(app, ran["run_id"], kind, "?max_size_bytes=1000").strip()
        )
        box.get_by_role("button", name=f"Copy this run for {name}").click()
        box.get_by_text("Copied").wait_for()
    assert page.evaluate("document.querySelector('#share').open") is False


@pytest.mark.browser
def test_a_read_only_link_shows_the_run_and_lets_nobody_change_it(visit, app, ran):
    page = visit.open(f"/runs/{ran['run_id']}")
    page.locator("#recommendation-title").wait_for()
    page.click("#share > summary")
    page.evaluate(
        "navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }"
    )
    page.get_by_role("button", name="Copy read-only link").click()
    visit.wait_until("window.copied")
    link = page.evaluate("window.copied")
    assert link == f"{visit.url}/runs/{ran['run_id']}?read=only"
    sent: list[str] = []
    page.on("request", lambda asked: asked.method != "GET" and sent.append(asked.url))
    page.goto(link)
    visit.wait_ready()
    page.locator("#figures li").first.wait_for()
    page.locator("#follow-ups").wait_for(state="attached")
    page.locator("#plots .main-svg").first.wait_for()
    for hidden in ("#run", "#edit-plan", "#choose", "#runs-button", "#follow-up-search", "#load-start"):
        assert not page.locator(hidden).is_visible(), hidden
    page.keyboard.press("Control+Enter")
    page.set_input_files("#file", CAT)
    page.locator("#goal-size").fill("1")
    page.locator("#goal-size").press("Enter")
    visit.wait_until("location.search.includes('max_size_bytes=1000')")
    assert "read=only" in page.url and sent == []
    page.get_by_role("link", name="Open it to measure more").click()
    page.locator("#run").wait_for()
