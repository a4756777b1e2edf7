"""questions: how much is inference, what is the limit, does it cache, what do schema and data type change."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from common.arguments import argument
from common.checks import number, number_text, whole_text
from experiment.backends.addresses import REST_SUFFIX, parse_servers
from experiment.cli.session import Session
from experiment.embedded.supervisor import running_servers
from experiment.images.read import read_image
from experiment.measure.environment import environment
from experiment.records import BackendInfo
from loadtest.answers.folder import AnswerFolder
from loadtest.cli.parts import LOADS
from loadtest.cli.show import show_answer
from loadtest.cli.target import PLACES, add_target_arguments, the_target
from loadtest.errors import LoadRefused
from loadtest.questions.ask import QUESTIONS, Asked, ask_all
from loadtest.questions.capture import check_capture
from loadtest.questions.material import material_of
from loadtest.questions.prometheus import check_url
from loadtest.questions.target import Target
from loadtest.results.folder import new_folder
from loadtest.send.recording import Watch

SECONDS = 20.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `questions`."""
    add_target_arguments(parser)
    add = parser.add_argument_group("what else is known of the server").add_argument
    add("--rest", metavar="HOST:PORT", help="the same server over REST")
    add("--metrics", metavar="URL", help="its page for Prometheus (that of the REST port)")
    add = parser.add_argument_group("questions").add_argument
    add("--image", type=Path, metavar="FILE", help="the image to send")
    add("--numbers", action="store_true", help="random numbers, as the model's metadata names them")
    add("--only", choices=QUESTIONS, action="append", help="ask this one; may be given several times")
    seconds = argument(number_text(number(0.1, 3600)))
    add("--seconds", type=seconds, default=SECONDS, metavar="S", help=f"for each, about ({SECONDS:.0f})")
    add("--capture", metavar="IFACE", help="tcpdump beside a load, on this network interface")
    add = parser.add_argument_group("result").add_argument
    add("--out", type=Path, metavar="DIR", help="folder for the answers (loads/DATE-questions-TARGET)")
    add("--seed", type=argument(whole_text(0, 2**53)), default=0, metavar="N", help="of all chance (0)")


def run(options: argparse.Namespace, session: Session) -> int:
    """Ask one question after another. Returns the exit code."""
    if bool(options.image) == options.numbers:
        raise LoadRefused("Name what to send: --image FILE, or --numbers for a model of numbers.")
    if options.capture:
        check_capture(options.capture)
    if options.metrics:
        check_url(options.metrics)
    if options.rest and not PLACES.fullmatch(options.rest):
        raise LoadRefused(f"--rest {options.rest} is not HOST:PORT, like 127.0.0.1:8501.")
    file = _file(options.image) if options.image else None
    asked = Asked(tuple(options.only or QUESTIONS), options.seconds, options.seed, options.capture)
    with the_target(options, session) as info:
        target = Target(info, _over_rest(info, options, session), options.metrics)
        material = material_of(target, file)
        with new_folder(options.out, "questions", info.name, Path(LOADS)) as folder:
            answers = AnswerFolder(folder.path, "questions", {"target": info.name, **environment()})
            watch = Watch(session.cancel, folder.keep)
            with session.console.status("Measuring"):
                ask_all(material, asked, answers, watch, lambda found: show_answer(found, session.output))
    session.console.print(f"Answers, tables and figures are in {folder.path}", soft_wrap=True)
    return 130 if session.cancel.is_set() else 0


def _file(path: Path) -> bytes:
    """The image, which is read before any server is started. Raises LoadRefused or ImageRefused."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LoadRefused(f"{path} can't be read: {error.strerror}.") from None
    read_image(data, path.name)
    return data


def _over_rest(info: BackendInfo, options: argparse.Namespace, session: Session) -> BackendInfo | None:
    """The same server over REST, as far as it is known."""
    if options.rest:
        return _twin(info, [BackendInfo(info.name + REST_SUFFIX, address=options.rest)])
    settings = session.settings
    if settings.tf_servers:
        return _twin(info, parse_servers(settings.tf_servers, settings.backend_defaults))
    running = running_servers(Path(settings.data_dir))
    return _twin(info, running[1] if running else ())


def _twin(info: BackendInfo, known: Sequence[BackendInfo]) -> BackendInfo | None:
    """Of the known ones, that over REST, with the model that is asked."""
    found = next((other for other in known if other.name == info.name + REST_SUFFIX), None)
    if found is None:
        return None
    return BackendInfo(found.name, "rest", found.address, info.model, info.signature, info.input_key)
