"""What differs between two runs beside their results: photo, model, machine, app, plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from experiment.wording import count, listed

Report = Mapping[str, Any]

NOT_SET = "not set"
HARDWARE_KEYS = (
    "protocol", "address", "device", "device_name", "cpus", "runtime", "precision", "isa", "replicas",
    "embedded", "workers", "batch_size",
)  # fmt: skip
MACHINE_KEYS = ("cpu_model", "cpu_count", "memory_mb", "platform", "python", "pillow", "libjpeg_turbo")
# Of a plan: another order of requests; backends are named themselves; this run's copies judge both.
OF_NO_MATTER = {"seed", "backend_names", "copies", "uplink_mbit_s"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same. A warning: the numbers are about different things."""

    what: str
    other: str  # in the run that is compared with
    this: str
    warning: str = ""  # a sentence; "" is worth a line in the table, no more


def differences(this: Report, other: Report) -> list[Difference]:
    """Those that make a comparison doubtful come first."""
    found = [
        *_photo(this, other),
        *_backends(this, other),
        *_values("app version", this["environment"], other["environment"], ("app_version",)),
        *_values("", this["environment"], other["environment"], MACHINE_KEYS),
        *_plan(this, other),
        *_bytes(this, other),
        *_true_label(this, other),
        *_state(this, other),
    ]
    return sorted(found, key=lambda difference: not difference.warning)


def _photo(this: Report, other: Report) -> Iterator[Difference]:
    mine, theirs = photo_hash(this), photo_hash(other)
    if mine != theirs:
        noun = "set of photos" if this.get("photo_set") else "photo"
        names = other["source"]["name"], this["source"]["name"]
        yield Difference(
            f"{noun} (SHA-256)",
            f"{names[0]} ({theirs[:12]})",
            f"{names[1]} ({mine[:12]})",
            f"The {noun} is a different one, {names[0]} there and {names[1]} here: times and answers are "
            "about different pictures.",
        )


def photo_hash(report: Report) -> str:
    """SHA-256 of the photo, or of the list of a set."""
    found: str = (report.get("photo_set") or report["source"])["sha256"]
    return found


def _backends(this: Report, other: Report) -> Iterator[Difference]:
    mine, theirs = ({backend["name"]: backend for backend in report["backends"]} for report in (this, other))
    for name in mine:
        if name in theirs:
            yield from _model(name, mine[name], theirs[name])
            yield from _values(name, mine[name], theirs[name], _told(mine[name], theirs[name]))
    if set(mine) != set(theirs):
        yield Difference("backends", listed(list(theirs)), listed(list(mine)))


def _told(this: Report, other: Report) -> tuple[str, ...]:
    """The port of an embedded server changes with every start and is left out."""
    both_embedded = this.get("embedded") and other.get("embedded")
    return tuple(key for key in HARDWARE_KEYS if key != "address" or not both_embedded)


def _model(name: str, this: Report, other: Report) -> Iterator[Difference]:
    mine, theirs = (_model_words(backend) for backend in (this, other))
    if mine != theirs:
        yield Difference(
            f"model on {name}",
            theirs,
            mine,
            f"{name} served a different model or version, {theirs} there and {mine} here, which may "
            "explain the changes.",
        )


def _model_words(backend: Report) -> str:
    version = backend.get("version")
    words = f"{backend.get('model')} {backend.get('signature')}"
    return words if version is None else f"{words} version {version}"


def _values(who: str, this: Report, other: Report, keys: tuple[str, ...]) -> Iterator[Difference]:
    for key in keys:
        mine, theirs = this.get(key), other.get(key)
        if mine != theirs:
            name = key.replace("_", " ")
            what = who if who == name else f"{who}: {name}" if who else name
            yield Difference(what, _words(theirs), _words(mine))


def _plan(this: Report, other: Report) -> Iterator[Difference]:
    mine, theirs = this["plan"], other["plan"]
    keys = [key for key in dict.fromkeys((*mine, *theirs)) if key not in OF_NO_MATTER]
    yield from _values("plan", mine, theirs, tuple(keys))


def _bytes(this: Report, other: Report) -> Iterator[Difference]:
    """Copies with one name but other bytes: another encoder, or a change in making them.

    A set's hash is that over its photos in their random order, so with another seed they can't be compared.
    """
    other_order = this.get("photo_set") and this["plan"]["seed"] != other["plan"]["seed"]
    if other_order or photo_hash(this) != photo_hash(other):
        return
    theirs = {variant["id"]: variant for variant in other["variants"]}
    shared = [variant for variant in this["variants"] if variant["id"] in theirs]
    changed = [variant for variant in shared if theirs[variant["id"]]["sha256"] != variant["sha256"]]
    if changed:
        first = changed[0]
        yield Difference(
            f"bytes of {count(len(changed), 'variant')}",
            theirs[first["id"]]["encoder"],
            first["encoder"],
            f"{count(len(changed), 'variant')} of {len(shared)} with the same name have "
            f"different bytes, for example {first['id']}: they were made or encoded differently.",
        )


def _true_label(this: Report, other: Report) -> Iterator[Difference]:
    yield from _values("", this["source"], other["source"], ("true_label",))


def _state(this: Report, other: Report) -> Iterator[Difference]:
    if this["state"] != other["state"]:
        yield Difference("state of the run", other["state"], this["state"])


def _words(value: Any) -> str:
    if value is None:
        return NOT_SET
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
