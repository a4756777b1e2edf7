"""A whole run again, as a command: for curl, as a script in Python, for `python -m experiment`.

Each asks for the photo of the same name, and for plan, goals and labels of the run. Copies that a browser
made are made by the server. No command holds a token: it reads PIXELCOST_TOKEN.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pprint import pformat
from types import MappingProxyType
from typing import Any, Final, Literal
from urllib.parse import urlencode

from experiment.backends.addresses import REST_SUFFIX
from experiment.codec import from_dict, to_dict
from experiment.copy_as.commands import TOKEN_SETTING
from experiment.file_names import printable
from experiment.records import BackendInfo, Plan

LOOSE: Final = "photos"  # the folder that is asked for where a run had photos from several places
OWN_LABELS: Final = "labels.csv"  # lies among the photos, and is found there
ALWAYS: Final = (
    "sizes_px",
    "formats",
    "warmups",
    "repeats",
    "seed",
    "timeout_s",
)  # told though they are usual
BY_BROWSER: Final = ("resize_in", "browser_engines")
OPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "jpeg_qualities": "--qualities",
        "sizes_px": "--sizes",
        "backend_names": "--backends",
        "timeout_s": "--timeout",
        "margin_points": "--margin",
        "uplink_mbit_s": "--uplink",
    }
)  # of the command line, where they are not named as the plan's keys
LINE: Final = " \\\n  "
WIDTH: Final = 100  # of the plan in a script


@dataclass(frozen=True, slots=True)
class WholeRun:
    """What a run was asked for."""

    name: str  # of the photo, the folder or the ZIP file, as it was sent
    kind: Literal["photo", "folder", "loose", "zip"]
    plan: Mapping[str, Any]  # its keys that differ from the default, and ALWAYS
    true_label: str | None
    labels_csv: str | None  # a CSV that does not lie among the photos
    infos: Sequence[BackendInfo]  # asked by the run
    is_by_browser: bool  # some copies, of the run
    app_url: str  # ends in a slash
    needs_token: bool

    @property
    def path(self) -> str:
        """Of the photo, folder or ZIP file; no program takes it for an option."""
        name = LOOSE if self.kind == "loose" else self.name
        return f"./{name}" if name.startswith("-") else name

    @property
    def is_many(self) -> bool:
        return self.kind != "photo"

    @property
    def runs_url(self) -> str:
        """Where a run is started."""
        return f"{self.app_url}api/runs{'?photos=many' if self.is_many else ''}"

    @property
    def notes(self) -> list[str]:
        """What to know before it is run, in sentences."""
        what = {"loose": f"a folder named {LOOSE} with these photos", "folder": f"the folder {self.name}"}
        browser = (
            "A browser made copies for this run; here the server makes them." if self.is_by_browser else ""
        )
        return [f"Run it where {what.get(self.kind, self.name)} lies.", *filter(None, [browser])]


def whole_run(
    report: Mapping[str, Any], infos: Sequence[BackendInfo], app_url: str, needs_token: bool
) -> WholeRun:
    """What an exported report was asked for. `infos` are the backends that it names, as they are now."""
    plan, photo_set = from_dict(Plan, report["plan"]), report.get("photo_set")
    labels = ((photo_set or {}).get("given_labels") or {}).get("name")
    is_own = labels is not None and labels.rpartition("/")[2].startswith(OWN_LABELS)
    return WholeRun(
        name=report["source"]["name"],
        kind=_kind(report["source"]["name"], photo_set),
        plan=_told(plan),
        true_label=report["source"].get("true_label"),
        labels_csv=None if is_own else labels,
        infos=infos,
        is_by_browser=plan.resize_in != "server",
        app_url=app_url,
        needs_token=needs_token,
    )


def _kind(name: str, photo_set: Mapping[str, Any] | None) -> Literal["photo", "folder", "loose", "zip"]:
    if photo_set is None:
        return "photo"
    if name.lower().endswith(".zip"):
        return "zip"
    return "loose" if name == f"{photo_set['count']} photos" else "folder"


def _told(plan: Plan) -> dict[str, Any]:
    usual, own = to_dict(Plan()), to_dict(plan)
    return {
        key: own[key] for key in usual if key not in BY_BROWSER and (key in ALWAYS or own[key] != usual[key])
    }


def curl(run: WholeRun) -> str:
    """Starts the run. A folder is sent as a ZIP file, with its path as the page sends it."""
    token = f'-H "Authorization: Bearer ${TOKEN_SETTING}"'
    zipped, photo = _zipped(run)
    words = [
        "curl -sS",
        *([token] if run.needs_token else []),
        photo,
        _text_field("plan", json.dumps(run.plan)),
        *([_text_field("true_label", run.true_label)] if run.true_label else []),
        *([f"-F {_file('labels', run.labels_csv)}"] if run.labels_csv else []),
        *([_text_field("servers", json.dumps(added))] if (added := _added(run)) else []),
        shlex.quote(run.runs_url),
    ]
    return "\n".join([*_comments(run), *zipped, LINE.join(words)]) + "\n"


def _zipped(run: WholeRun) -> tuple[list[str], str]:
    """The commands that make a ZIP file, if one is needed, and curl's option of what is sent."""
    if run.kind in {"photo", "zip"}:
        return [], f"-F {_file('file', run.path)}"
    folder = shlex.quote(run.path)
    pack = 'python3 -m zipfile -c "$ZIP"'
    made = f"(cd {folder} && {pack} .)" if run.kind == "loose" else f"{pack} {folder}"
    return ['ZIP="$(mktemp -d)/photos.zip"', made], '-F "file=@$ZIP"'


def _file(field: str, name: str) -> str:
    """curl reads ; and , in a name that is not in quotation marks as the end of it."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return shlex.quote(f'{field}=@"{quoted}"')


def _text_field(name: str, text: str) -> str:
    return f"--form-string {shlex.quote(f'{name}={text}')}"


def python(run: WholeRun) -> str:
    """Starts the run, waits for its end and prints what it recommends."""
    token = f'{{"Authorization": "Bearer " + os.environ["{TOKEN_SETTING}"]}}' if run.needs_token else "{}"
    form = {"true_label": run.true_label, "servers": json.dumps(added) if (added := _added(run)) else None}
    extra = "".join(f", {key!r}: {text!r}" for key, text in form.items() if text)
    lines = [
        *_comments(run),
        "import json",
        *(["import os"] if run.needs_token else []),
        *["import time", "from pathlib import Path", "from urllib.parse import urljoin", ""],
        *["import requests  # python -m pip install requests", ""],
        f"PLAN = {pformat(dict(run.plan), width=WIDTH, sort_dicts=False)}",
        f"FORM = {{'plan': json.dumps(PLAN){extra}}}",
        f"HEADERS = {token}",
        *_python_files(run),
        f"answer = requests.post({run.runs_url!r}, headers=HEADERS, data=FORM, files=files)",
        "if not answer.ok:",
        "    raise SystemExit(answer.text)",
        f"report_url = urljoin({run.app_url!r}, answer.json()['report_url'])",
        "while True:",
        "    report = requests.get(report_url, headers=HEADERS).json()",
        "    if report['state'] not in {'queued', 'running'}:",
        "        break",
        "    time.sleep(1)",
        "print(report['recommendation']['sentence'])",
        "print(report_url)",
    ]
    return "\n".join(lines) + "\n"


def _python_files(run: WholeRun) -> list[str]:
    if run.kind in {"photo", "zip"}:
        lines = [f"photo = Path({run.path!r})", "files = [('file', (photo.name, photo.read_bytes()))]"]
    else:
        top = "folder" if run.kind == "loose" else "folder.parent"  # as the page sends their paths
        lines = [
            f"folder = Path({run.path!r})",
            "found = sorted(path for path in folder.rglob('*') if path.is_file())",
            f"files = [('file', (path.relative_to({top}).as_posix(), path.read_bytes())) for path in found]",
        ]
    if run.labels_csv:
        lines.append(f"files += [('labels', ({run.labels_csv!r}, Path({run.labels_csv!r}).read_bytes()))]")
    return lines


def cli(run: WholeRun) -> str:
    """Measures on the machine where it is run, without the app; on servers by their addresses."""
    words = [
        f"python -m experiment {'--photos ' if run.is_many else ''}{shlex.quote(run.path)}",
        *(_option(key, value) for key, value in run.plan.items()),
        *([f"--true-label {shlex.quote(run.true_label)}"] if run.true_label else []),
        *([f"--labels {shlex.quote(run.labels_csv)}"] if run.labels_csv else []),
        *([f"--servers {shlex.quote(servers)}"] if (servers := _servers(run.infos)) else []),
    ]
    start = (
        "Start it with the Python of Pixelcost's folder, .venv/bin/python, and name the photo with its path."
    )
    return "\n".join([f"# {start}", *_comments(run, needs_token=False), LINE.join(words)]) + "\n"


def _option(key: str, value: Any) -> str:
    name = OPTIONS.get(key, f"--{key.replace('_', '-')}")
    if isinstance(value, bool):
        return name if value else name.replace("--", "--no-", 1)
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{name} {shlex.quote(text)}"


def _servers(infos: Sequence[BackendInfo]) -> str:
    """TF_SERVERS for these; "" for embedded ones alone, which the command finds or starts by itself."""
    if all(info.embedded for info in infos):
        return ""
    rest = {info.name.removesuffix(REST_SUFFIX): info for info in infos if info.name.endswith(REST_SUFFIX)}
    firsts = [info for info in infos if info.address and not info.name.endswith(REST_SUFFIX)]
    return ";".join(_entry(info, rest.get(info.name)) for info in firsts)


def _entry(info: BackendInfo, rest: BackendInfo | None) -> str:
    address = (info.added_as or info.address).partition(",")[0]  # of replicas the first
    if info.protocol == "queue":
        return f"{info.name}:{address}"
    usual = BackendInfo(name="")
    options = {
        "rest": rest and rest.address.rpartition(":")[2],
        "model": info.model if info.model != usual.model else None,
        "signature": info.signature if info.signature != usual.signature else None,
        "input": info.input_key if info.input_key != usual.input_key else None,
        "price_per_hour": info.price_per_hour and f"{info.price_per_hour:g}",
    }
    query = urlencode({key: text for key, text in options.items() if text})
    return f"{info.name}:{address}{query and f'?{query}'}"


def _added(run: WholeRun) -> list[dict[str, Any]]:
    """The servers that the app does not know by itself, as POST /api/runs takes them."""
    keys = ("name", "protocol", "model", "signature", "input_key", "price_per_hour")
    return [
        {"address": info.added_as} | {key: value for key in keys if (value := getattr(info, key)) is not None}
        for info in run.infos
        if info.added_as
    ]


def _comments(run: WholeRun, needs_token: bool | None = None) -> list[str]:
    asks = run.needs_token if needs_token is None else needs_token
    token = [f"Set {TOKEN_SETTING} to the server's token first."] if asks else []
    return [f"# {printable(line)}" for line in [*run.notes, *token]]


KINDS: Final[Mapping[str, Callable[[WholeRun], str]]] = MappingProxyType(
    {"curl": curl, "python": python, "cli": cli}
)
