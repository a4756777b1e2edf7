"""dead: jobs that were given up: why, and what becomes of them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime

from common.installed import as_typed
from experiment.cli.session import Session
from experiment.errors import PixelcostError
from experiment.queue.connection import connection, place_of
from experiment.queue.records import QueueSettings
from experiment.wording import count, one_line, size
from jobs.commands.queue_options import add_queue_arguments, asked_queue
from jobs.dead.letters import DeadLetter, DeadLetters

HINT = as_typed(
    "Put them back with python -m jobs dead requeue --all, or one by its name; remove them with drop."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `dead`."""
    parser.add_argument("action", nargs="?", choices=["show", "requeue", "drop"], default="show")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of jobs (show: all)")
    parser.add_argument("--all", action="store_true", help="all that there are now")
    add_queue_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> int:
    """Show, put back or remove; 1 if one could not be. Raises PixelcostError for a name that is not there."""
    queue = asked_queue(options, session)
    letters = DeadLetters(connection(queue.url), queue)
    chosen = _chosen(options, letters, queue)
    if options.action == "show":
        return _show(chosen, queue, session)
    done, failed = 0, 0
    for letter in chosen:
        why = letters.requeue(letter) if options.action == "requeue" else _dropped(letters, letter)
        if why is None:
            done += 1
        else:
            failed += 1
            session.say(f"{letter.job_id} stays as it is: {why}.")
    words = "put back into the queue" if options.action == "requeue" else "removed"
    session.output.print(f"{count(done, 'job')} {words}.")
    return 1 if failed else 0


def _chosen(options: argparse.Namespace, letters: DeadLetters, queue: QueueSettings) -> Iterator[DeadLetter]:
    if options.all and options.names:
        raise PixelcostError("Give names or --all, not both.")
    if options.all or (options.action == "show" and not options.names):
        return letters.all()
    if not options.names:
        raise PixelcostError(f"Which ones? Name them: dead {options.action} NAME, or --all.")
    wanted = set(options.names)
    found = [letter for letter in letters.all() if letter.job_id in wanted]
    if missing := wanted - {letter.job_id for letter in found}:
        raise PixelcostError(
            f"{queue.stream} at {place_of(queue.url)} has no dead letter named {min(missing)}. "
            "python -m jobs dead shows all."
        )
    return iter(found)


def _show(chosen: Iterator[DeadLetter], queue: QueueSettings, session: Session) -> int:
    shown = 0
    for letter in chosen:
        shown += 1
        for line in _lines(letter):
            session.output.print(line, soft_wrap=True)
    if shown:
        session.say(f"{count(shown, 'job')} given up. {HINT}")
    else:
        session.output.print(
            f"No job of {queue.stream} at {place_of(queue.url)} was given up.", soft_wrap=True
        )
    return 0


def _lines(letter: DeadLetter) -> Iterator[str]:
    died = datetime.fromtimestamp(letter.died_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    tries = (
        "unknown tries" if letter.tries is None else "1 try" if letter.tries == 1 else f"{letter.tries} tries"
    )
    yield f"{letter.job_id}: {letter.code.removeprefix('gave_up:')}, {died}, {tries}, last on {letter.worker}"
    yield f"  {letter.reason}"
    yield f"  sent: {_sent(letter)}"


def _sent(letter: DeadLetter) -> str:
    said = []
    if letter.photo_sha256:
        kept = size(letter.photo_bytes) if letter.photo_bytes else "has expired"
        said.append(f"photo {letter.photo_sha256[:12]} ({kept})")
    for name, value in letter.sent.items():
        text = one_line(value.decode("utf-8", "replace"), 40)
        said.append(f"{name}={text}" if len(value) <= 80 else f"{name} ({size(len(value))})")
    return ", ".join(said) or "nothing but its name"


def _dropped(letters: DeadLetters, letter: DeadLetter) -> str | None:
    return None if letters.drop(letter) else "somebody removed it meanwhile"
