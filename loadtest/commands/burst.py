"""burst: many requests at once, and how long it takes until all are answered, by replicas and hosts."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from common.arguments import argument
from common.checks import whole_text
from experiment.backends.addresses import REST_SUFFIX
from experiment.cli.session import Session
from experiment.embedded.data_dir import claimed
from experiment.embedded.model import ModelChoice, prepare_model
from experiment.embedded.profiles import Profile, parse_embedded
from experiment.wording import count
from loadtest.answers.folder import AnswerFolder
from loadtest.arrivals.schedules import burst
from loadtest.cli.measured import Measured
from loadtest.cli.options import add_result_arguments, whole_numbers
from loadtest.cli.parts import Done, Part, ended, finished, measured_parts
from loadtest.cli.payload import add_payload_arguments, the_payload
from loadtest.cli.show import show_answer
from loadtest.cli.target import add_target_arguments, the_target, timeout_s
from loadtest.errors import LoadRefused
from loadtest.replicas.answers import answers_of
from loadtest.replicas.cells import Cell, Place, plan, where
from loadtest.replicas.embedded import EmbeddedReplicas
from loadtest.replicas.scaling import AsItIs, Scaler, service_of, what_to_type
from loadtest.send.load import WARMUPS, offer
from loadtest.send.open_loop import MOST_IN_FLIGHT

MOST_REPLICAS = 1000
BURSTS = 10
EMBEDDED = "embedded"


class Chosen(NamedTuple):
    """What is measured."""

    scaler: Scaler
    replicas: Sequence[int | None]
    hosts: int
    notes: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `burst`."""
    add_target_arguments(parser, required=False)
    add_payload_arguments(parser)
    add = parser.add_argument_group("schedule").add_argument
    sizes = whole_numbers(1, MOST_IN_FLIGHT)
    add("--requests", type=sizes, default=[20, 40], metavar="N,N", help="one burst of each size (20,40)")
    add = parser.add_argument_group("replicas").add_argument
    replicas = whole_numbers(1, MOST_REPLICAS)
    add(
        "--replicas",
        type=replicas,
        metavar="N,N",
        help="on each host; without --target, embedded replicas are started",
    )
    add("--service", metavar="NAME", help="of Docker swarm or Kubernetes: it is scaled to each of --replicas")
    bursts = argument(whole_text(1, 1000))
    add("--bursts", type=bursts, metavar="N", help=f"of each size on each number of replicas ({BURSTS})")
    add_result_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> int:
    """Send one burst after another. Returns the exit code."""
    if options.replicas or options.service or "," in (options.target or ""):
        return _on_replicas(options, session)
    if options.target is None:
        raise LoadRefused("Name the server with --target, or how many embedded ones with --replicas 1,2,4.")
    if options.bursts:
        raise LoadRefused(
            "--bursts repeats bursts on replicas. Add --replicas 1 if the target is one server."
        )
    with the_target(options, session) as info:
        payload = the_payload(options, info, max(options.requests), options.seed)
        limit_s = timeout_s(options, session)

        def next_part(done: Sequence[Measured]) -> Part | None:
            if len(done) == len(options.requests):
                return None
            due_s = burst(options.requests[len(done)])
            title = f"{len(due_s):,} at once"
            return Part(title, lambda watch: offer(info, payload, due_s, limit_s, watch), "burst")

        done = measured_parts("burst", info, payload, next_part, options, session)
    return finished(done, session, " ".join(map(_sentence, done.parts)))


def _sentence(part: Measured) -> str:
    answered = part.summary.count - part.summary.failures
    return f"{part.title}: {answered:,} answered within {part.load.taken.seconds:.2f} s."


def _on_replicas(options: argparse.Namespace, session: Session) -> int:
    """Bursts of every size on every number of replicas and hosts. Returns the exit code."""
    with _chosen(options, session) as chosen:
        places = [
            Place(replicas, hosts, requests)
            for hosts in range(1, chosen.hosts + 1)
            for replicas in chosen.replicas
            for requests in options.requests
        ]
        planned = plan(places, options.bursts or BURSTS, chosen.scaler.is_cheap, options.seed)
        done, problem = _measured(chosen, planned, options, session)
    cells = _cells(planned, done)
    _show(cells, chosen.notes, done, session)
    code = ended(done, session)
    if problem:
        session.console.print(problem, style="bold red", soft_wrap=True)
    return 2 if problem and code != 130 else code


def _measured(
    chosen: Chosen, planned: Sequence[Place], options: argparse.Namespace, session: Session
) -> tuple[Done, str | None]:
    """All bursts, and why there are no more of them if scaling failed."""
    first = planned[0]
    info = chosen.scaler.scaled(first.replicas, first.hosts, max(options.requests))
    payload = the_payload(options, info, max(options.requests), options.seed)
    limit_s, most = timeout_s(options, session), max(options.requests)
    problems: list[str] = []
    last: list[Place] = []

    def next_part(done: Sequence[Measured]) -> Part | None:
        if len(done) == len(planned):
            return None
        place = planned[len(done)]
        try:
            here = chosen.scaler.scaled(place.replicas, place.hosts, place.requests)
        except LoadRefused as refused:
            problems.append(f"{refused.message} The bursts until then are kept.")
            return None
        connections = len(here.address.split(","))
        if not last or (last[-1].replicas != place.replicas and not chosen.scaler.is_cheap):
            offer(here, payload, burst(most), limit_s)  # not counted: new replicas are slow at first
        last[:] = [place]
        title = f"{place.requests:,} at once, {where(place)}"
        due_s, warmups = burst(place.requests), max(WARMUPS, connections)
        return Part(title, lambda watch: offer(here, payload, due_s, limit_s, watch, warmups), "burst")

    def places_of(done: Sequence[Measured]) -> Mapping[str, Any]:
        rows = [place._asdict() for place, _ in zip(planned, done, strict=False)]
        return {"places": rows, "notes": chosen.notes}

    done = measured_parts("burst", info, payload, next_part, options, session, extra=places_of)
    return done, problems[0] if problems else None


@contextmanager
def _chosen(options: argparse.Namespace, session: Session) -> Iterator[Chosen]:
    """What --target, --service and --replicas mean together. Raises LoadRefused."""
    asked = list(dict.fromkeys(options.replicas or ()))
    profile = None if options.service else _profile(options, session)
    if profile is not None:
        with _embedded(profile, asked, options, session) as chosen:
            yield chosen
        return
    if options.target is None:
        raise LoadRefused("Name where the service answers with --target HOST:PORT.")
    with the_target(options, session) as info:
        hosts = len(info.address.split(","))
        service = service_of(info, options.service) if options.service else None
        if service is not None:
            note = f"{options.service} was scaled; every request has a connection, which the service spreads."
            with service:
                yield Chosen(service, asked or [None], 1, [note])
            return
        notes = _not_scaled(asked, options, session)
        yield Chosen(AsItIs(info), asked if len(asked) == 1 else [None], hosts, notes)


def _not_scaled(asked: Sequence[int], options: argparse.Namespace, session: Session) -> list[str]:
    """A note on servers that can't be scaled from here, with what to type."""
    if len(asked) < 2 and not options.service:
        return [f"{count(asked[0], 'replica')} on each host, as --replicas says."] if asked else []
    why = "There is no such service" if options.service else "Without --service nothing is scaled"
    type_this = what_to_type(options.service, asked[0] if asked else 2)
    note = (
        f"{why}, so the servers were measured as they are. Type {type_this}, and repeat it with --replicas "
        "and that one number."
    )
    session.console.print(note, soft_wrap=True)
    return [note]


def _profile(options: argparse.Namespace, session: Session) -> Profile | None:
    """The embedded backend whose replicas are meant; None: the target is another server."""
    if session.settings.tf_servers and options.target is not None:
        return None
    everything = len(os.sched_getaffinity(0))
    if options.target is None:
        return Profile(EMBEDDED, everything)
    name = options.target.removesuffix(REST_SUFFIX)
    found = [profile for profile in parse_embedded(session.settings.embedded) if profile.name == name]
    return found[0] if found else None


@contextmanager
def _embedded(
    profile: Profile, replicas: Sequence[int], options: argparse.Namespace, session: Session
) -> Iterator[Chosen]:
    settings, data_dir = session.settings, Path(session.settings.data_dir)
    choice = ModelChoice(settings.model_base_path, settings.model, settings.weights_url)
    model = prepare_model(data_dir, choice, session.cancel)
    over_rest = options.protocol == "rest" or (options.target or "").endswith(REST_SUFFIX)
    with claimed(data_dir / "replicas") as folder, session.console.status("Starting the replicas") as status:
        say = status.update
        with EmbeddedReplicas(profile, max(replicas), model, folder, say, over_rest) as scaler:
            status.stop()
            cores = min(profile.cpus, len(os.sched_getaffinity(0)))
            notes = [
                f"Embedded replicas on this machine, each free to use {count(cores, 'core')}; this program "
                "shares the machine with them.",
                f"All {max(replicas)} run all the time; a burst goes to the first of them in turn.",
            ]
            yield Chosen(scaler, list(replicas), 1, notes)


def _cells(planned: Sequence[Place], done: Done) -> dict[Place, Cell]:
    cells: dict[Place, Cell] = {}
    for place, part in zip(planned, done.parts, strict=False):
        cells.setdefault(place, Cell(place)).loads.append(part.load)
    return cells


def _show(cells: Mapping[Place, Cell], notes: Sequence[str], done: Done, session: Session) -> None:
    """The table of each number of requests with its sentence, also as files."""
    if not done.parts:
        return
    first = done.parts[0].load
    about = {"target": first.target.name, "started_at": first.environment.get("started_at")}
    folder = AnswerFolder(done.folder, "bursts over replicas", about | _machine(first.environment))
    for answer in answers_of(cells, [*notes, *_invalid(done.parts)]):
        folder.add(answer)
        show_answer(answer, session.output)


def _invalid(parts: Sequence[Measured]) -> list[str]:
    found = [part.summary for part in parts if part.summary.validity == "INVALID"]
    if not found:
        return []
    return [f"{len(found)} of all {len(parts)} bursts are INVALID; the first: {found[0].reasons[0]}"]


def _machine(environment: Mapping[str, Any]) -> dict[str, Any]:
    return {key: environment.get(key) for key in ("cpu_model", "cpu_count", "platform")}
