"""ask_all(): the questions one after another, each answer kept as soon as it is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadtest.answers.answer import Answer
from loadtest.answers.folder import AnswerFolder
from loadtest.questions.caching import does_it_cache
from loadtest.questions.capture import check_capture, what_is_on_the_wire
from loadtest.questions.cpu_bound import is_it_cpu_bound
from loadtest.questions.encoding import how_does_encoding_matter
from loadtest.questions.inference import how_much_is_inference
from loadtest.questions.material import Material
from loadtest.send.recording import Watch

QUESTIONS = ("inference", "cpu_bound", "caching", "encoding")


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for."""

    questions: tuple[str, ...] = QUESTIONS
    seconds: float = 15.0  # for each question, about
    seed: int = 0
    capture: str | None = None  # interface; None: no packets are captured


def ask_all(
    material: Material, asked: Asked, folder: AnswerFolder, watch: Watch, say: Callable[[Answer], None]
) -> list[Answer]:
    """The answers in order; fewer if `watch` was cancelled. Raises LoadRefused."""
    target, payload = material.target, material.payload()
    if asked.capture:
        check_capture(asked.capture)
    answers: list[Answer] = []

    def keep(answer: Answer) -> None:
        answers.append(answer)
        say(answer)  # before it is written: the disk may be full
        folder.add(answer)

    known: dict[str, Callable[[], Sequence[Answer]]] = {
        "inference": lambda: [how_much_is_inference(target, payload, asked.seconds, watch)],
        "cpu_bound": lambda: is_it_cpu_bound(target, payload, asked.seconds, watch),
        "caching": lambda: [does_it_cache(material, asked.seconds, asked.seed, watch)],
        "encoding": lambda: [how_does_encoding_matter(material, asked.seconds, asked.seed, watch)],
    }
    for name in asked.questions:
        if not watch.cancel.is_set():
            for answer in known[name]():
                keep(answer)
    if asked.capture and not watch.cancel.is_set():
        pcap = folder.path / "capture.pcap"
        keep(what_is_on_the_wire(target, payload, asked.capture, pcap, watch))
    return answers
