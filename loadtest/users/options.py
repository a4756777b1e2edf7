"""The options of `python -m loadtest users`, checked before anything is sent."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from common.checks import Expected, number_above, number_text, whole_text
from experiment.backends.addresses import REST_SUFFIX
from experiment.records import BackendInfo
from experiment.wording import NO_LOAD_ON_QUEUES, capitalised
from loadtest.errors import LoadRefused
from loadtest.users.asked import Asked
from loadtest.users.crowd import MOST_USERS, Crowd, run_time
from loadtest.users.kinds import BATCH_TAG, KINDS, SINGLE_TAG, Kind
from loadtest.users.server import addresses_of

CSV_FILES = ("stats.csv", "stats_history.csv", "failures.csv", "exceptions.csv")  # after a prefix and "_"
MOST_SPAWNED_PER_S = 10_000

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options."""

    asked: Asked  # its server names both ports
    crowd: Crowd
    kinds: tuple[Kind, ...]
    out: Path | None
    csv: str | None
    html: Path | None

    def out_of(self, kind: Kind) -> Path | None:
        """The folder that was named for the results of a kind; None: none was."""
        return self.out / kind.name if self.out and len(self.kinds) > 1 else self.out

    def copies_of(self, kind: Kind) -> Iterator[tuple[str, Path]]:
        """Locust's files that are wanted elsewhere too: the end of a file's name -> where."""
        if self.csv is not None:
            in_folder = self.csv.endswith("/") or Path(self.csv).is_dir()
            prefix = f"{self.csv.rstrip('/') or '/'}/" if in_folder else f"{self.csv}_"
            yield from ((f"_{name}", Path(f"{prefix}{kind.name}_{name}")) for name in CSV_FILES)
        if self.html is not None:
            name = f"{self.html.stem}_{kind.name}{self.html.suffix}"
            yield ".html", self.html.with_name(name) if len(self.kinds) > 1 else self.html


def add_user_arguments(parser: argparse.ArgumentParser) -> None:
    """The options, with the defaults in brackets."""
    add = parser.add_argument_group("what is sent, and where to").add_argument
    add(
        "--target",
        metavar="SERVER",
        help="host:port, http://host:port, host:8500?rest=8501, a name of TF_SERVERS ($SERVER, 127.0.0.1)",
    )
    add("--kinds", default=",".join(KINDS), metavar="K,K", help=f"of {', '.join(KINDS)} (all)")
    add("--tags", nargs="+", choices=(SINGLE_TAG, BATCH_TAG), help="only the kinds with one of these tags")
    add("--batch", metavar="N", help="images or rows in a request of the batch kinds ($BATCHSIZE, 4)")
    add("--model", metavar="NAME", help="name of the model ($MODEL_NAME, inception)")
    add("--image", type=Path, action="append", metavar="FILE", help="may be repeated (64 generated JPEGs)")
    add("--timeout", metavar="S", help="of each request ($TF_REQUEST_TIMEOUT, 60)")
    add = parser.add_argument_group("how many send it, in Locust's words").add_argument
    add("--users", "-u", default="500", metavar="N", help="each has one request in flight (500)")
    add("--spawn-rate", "-r", default="10", metavar="N", help="users that start in a second (10)")
    add("--run-time", "-t", default="5m", metavar="T", help="of each kind: 5m, 90s, 1h30m (5m)")
    add = parser.add_argument_group("results").add_argument
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of load.json, samples and CSV files (one in loads/)",
    )
    add("--csv", metavar="PREFIX", help="copy Locust's CSV files to PREFIX_<kind>_stats.csv and so on")
    add("--html", type=Path, metavar="FILE", help="Locust's own report; of several kinds FILE_<kind>.html")


def wanted(options: argparse.Namespace, configured: Sequence[BackendInfo] = ()) -> Wanted:
    """What was asked for; the target may be the name of one of the `configured` backends.

    Raises LoadRefused, also where a file would be overwritten.
    """
    kinds = _kinds(options)
    given = {
        "SERVER": options.target,
        "BATCHSIZE": options.batch,
        "MODEL_NAME": options.model,
        "TF_REQUEST_TIMEOUT": options.timeout,
        "IMAGE": os.pathsep.join(str(path.absolute()) for path in options.image or ()) or None,
    }
    environ = os.environ | {key: value for key, value in given.items() if value is not None}
    asked = Asked.from_environment(environ)
    asked = replace(asked, server=_server(asked.server, kinds, {info.name: info for info in configured}))
    addresses = addresses_of(asked.server, {kind.protocol for kind in kinds})
    crowd = Crowd(
        _checked("--users", options.users, whole_text(1, MOST_USERS)),
        _checked("--spawn-rate", options.spawn_rate, number_text(number_above(0, MOST_SPAWNED_PER_S))),
        run_time(options.run_time),
    )
    made = Wanted(replace(asked, server=addresses.text), crowd, kinds, options.out, options.csv, options.html)
    taken = [path for kind in kinds for _, path in made.copies_of(kind) if path.exists()]
    if taken:
        raise LoadRefused(f"{taken[0]} is there already, and nothing is overwritten. Name another place.")
    return made


def _server(name: str, kinds: Sequence[Kind], configured: Mapping[str, BackendInfo]) -> str:
    """SERVER of a configured backend; any other name is one already."""
    info, rest = configured.get(name), configured.get(name + REST_SUFFIX)
    if info is None:
        return name
    if info.protocol == "queue":
        raise LoadRefused(f"{name} is a queue. {capitalised(NO_LOAD_ON_QUEUES)}")
    if rest is None and any(kind.protocol == "rest" for kind in kinds):
        raise LoadRefused(
            f"TF_SERVERS names no REST port for {name}. Add it as ?rest=8501, or choose --kinds "
            f"{','.join(kind.name for kind in KINDS.values() if kind.protocol == 'grpc')}."
        )
    return info.address + (f"?rest={rest.address.rpartition(':')[2]}" if rest else "")


def _kinds(options: argparse.Namespace) -> tuple[Kind, ...]:
    names = list(dict.fromkeys(name.strip() for name in options.kinds.split(",")))
    for name in names:
        if name not in KINDS:
            raise LoadRefused(f"--kinds must be of {', '.join(KINDS)}, not {name}.")
    found = tuple(KINDS[name] for name in names if not options.tags or KINDS[name].tag in options.tags)
    if not found:
        raise LoadRefused(f"None of the kinds {options.kinds} has the tag {' or '.join(options.tags)}.")
    return found


def _checked(option: str, text: str, check: Callable[[str], Value]) -> Value:
    try:
        return check(text)
    except Expected as expected:
        raise LoadRefused(f"{option} must be {expected}, not {text}.") from None
