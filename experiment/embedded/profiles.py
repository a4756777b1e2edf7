"""Parses PIXELCOST_EMBEDDED: which model servers to start on this machine, and with which options.

    1 CPU:cpus=1;8 CPU:cpus=8;1 CPU bf16:cpus=1,runtime=openvino,precision=bf16

Name, colon, options. Spaces around names, keys and values don't matter, nor does a
semicolon at the end. Unset, PROFILES is started.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from common.checks import Expected, one_of_texts, price, whole_text
from experiment.backends.addresses import REST_SUFFIX
from experiment.errors import ConfigRefused

KEY = "PIXELCOST_EMBEDDED"
EXAMPLE = "1 CPU:cpus=1;8 CPU:cpus=8"
GPU_CPUS = 4  # cores beside a GPU, for reading images and for the protocol
LONGEST_NAME = 60  # characters; names stand in tables, figures and file names
NOT_IN_NAMES = ":;,="  # they separate, here and in `--backends`

# Runtime -> its precisions, as the embedded server has them (serving/runtimes, RUNTIMES).
PRECISIONS = {
    "tensorflow": ("f32",),
    "openvino": ("f32", "bf16"),
    "onnxruntime": ("f32",),
    "litert": ("f32",),
    "pytorch": ("f32", "bf16"),
    "opencv": ("f32",),
}
ON_GPU = ("auto", "tensorflow", "pytorch")


@dataclass(frozen=True, slots=True)
class Profile:
    """The settings of one embedded backend."""

    name: str
    cpus: int  # of each replica
    device: str = "CPU"
    runtime: str = "auto"  # auto: by the kind of the model's file
    precision: str = "f32"
    isa: str | None = None  # None: all that the processor has
    replicas: int = 1  # servers that take turns
    model: str | None = None  # base path; None: the model that all serve
    price_per_hour: float | None = None

    @property
    def cores_wanted(self) -> int:
        """By all replicas together."""
        return self.cpus * self.replicas


PROFILES = (Profile("GPU", GPU_CPUS, "GPU"), Profile("1 CPU", 1), Profile("8 CPU", 8))


def parse_embedded(text: str) -> tuple[Profile, ...]:
    """The profiles that `text` names, in its order; PROFILES if it is blank.

    Raises ConfigRefused with every problem of every entry at once.
    """
    if not text.strip():
        return PROFILES
    profiles: list[Profile] = []
    problems: list[str] = []
    taken: set[str] = set()
    for number, entry in enumerate(map(str.strip, text.split(";")), start=1):
        if not entry:
            continue
        name, options, found = _read(entry, taken)
        taken.add(alike(name))
        if not found:
            profiles.append(Profile(name, **options))
        problems += [f"entry {number} `{entry}` {problem}" for problem in found]
    if not profiles and not problems:
        problems.append(f"it names no backend; write for example `{EXAMPLE}`")
    if problems:
        raise ConfigRefused(KEY, problems)
    return tuple(profiles)


def alike(name: str) -> str:
    """The name as a file name; profiles may not have names for which this is the same."""
    return re.sub(r"\W+", "-", name.casefold())


def _read(entry: str, taken: set[str]) -> tuple[str, dict[str, Any], list[str]]:
    """Name and options of one entry, and sentences on what is wrong with them."""
    name, _, written = entry.partition(":")
    name = " ".join(name.split())
    problems = list(_name_problems(name, taken))
    options: dict[str, Any] = {}
    for option in filter(None, map(str.strip, written.split(","))):
        key, equals, value = map(str.strip, option.partition("="))
        try:
            _add(options, key, value if equals else None)
        except ValueError as problem:
            problems.append(str(problem))
    if not problems:
        problems += _conflicts(options)
    if options.get("device") == "GPU":
        options.setdefault("cpus", GPU_CPUS)
    return name, options, problems


def _name_problems(name: str, taken: set[str]) -> Iterator[str]:
    if not name:
        yield f"has no name; write for example `{EXAMPLE}`"
    elif bad := [character for character in NOT_IN_NAMES if character in name]:
        yield f"has `{bad[0]}` in its name; write name:cpus=1, without {' '.join(NOT_IN_NAMES)} in the name"
    elif len(name) > LONGEST_NAME or not name.isprintable():
        yield f"has a name that is not a line of at most {LONGEST_NAME} characters"
    elif name.endswith(REST_SUFFIX):
        yield f"has a name that ends with `{REST_SUFFIX.strip()}`; the same server over REST gets that"
    elif alike(name) in taken:
        yield f"repeats the name `{name}`; every backend needs one of its own"


def _add(options: dict[str, Any], key: str, value: str | None) -> None:
    """Raises ValueError with what is wrong with one `key=value`."""
    if value is None:
        raise ValueError(
            f"has the option `{key}` without a value; write {key if key in OPTIONS else 'cpus'}=…"
        )
    if key not in OPTIONS:
        raise ValueError(f"has the unknown option `{key}`; there are {', '.join(OPTIONS)}")
    if key in options:
        raise ValueError(f"gives {key} twice; one of them is meant")
    try:
        options[key] = OPTIONS[key](value)
    except Expected as allowed:
        options[key] = None  # so that it does not count as missing
        raise ValueError(f"has {key}=`{value}`; {key} is {allowed}") from None


def _conflicts(options: Mapping[str, Any]) -> Iterator[str]:
    """Sentences on options that are valid alone but not together."""
    device, runtime = options.get("device", "CPU"), options.get("runtime", "auto")
    if device == "CPU" and "cpus" not in options:
        yield "has no cpus; say how many cores it gets, for example cpus=1"
    precision = options.get("precision", "f32")
    if precision not in PRECISIONS.get(runtime, ("f32",)):
        able = " or ".join(f"runtime={name}" for name, known in PRECISIONS.items() if precision in known)
        lacks = "but no runtime" if runtime == "auto" else f"which {runtime} does not compute in"
        yield f"has precision={precision}, {lacks}; write {able} beside it"
    if device == "GPU":
        yield from _gpu_conflicts(options, runtime)


def _gpu_conflicts(options: Mapping[str, Any], runtime: str) -> Iterator[str]:
    if options.get("replicas", 1) > 1:
        yield f"has replicas={options['replicas']} on a GPU, which only one process uses; write replicas=1"
    if "isa" in options:
        yield f"has isa={options['isa']} on a GPU; isa is about CPUs, so leave it out"
    if runtime not in ON_GPU:
        yield f"has runtime={runtime} on a GPU; there the runtime is {' or '.join(ON_GPU)}"


def _isa(text: str) -> str:
    """Only the form is checked: which names are valid depends on the runtime, and the server checks it."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,31}", text.lower()):
        raise Expected("the name of an instruction set, like sse41, avx2 or avx512")
    return text.lower()


def _path(text: str) -> str:
    if not text:
        raise Expected("a folder that holds one numbered folder per version")
    return text


OPTIONS: dict[str, Callable[[str], Any]] = {
    "cpus": whole_text(1, 1024),
    "device": lambda text: one_of_texts("cpu", "gpu")(text).upper(),
    "runtime": one_of_texts("auto", *PRECISIONS),
    "precision": one_of_texts("f32", "bf16"),
    "isa": _isa,
    "replicas": whole_text(1, 64),
    "model": _path,
    "price_per_hour": price,
}
