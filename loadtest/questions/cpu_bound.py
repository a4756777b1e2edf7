"""CPU- or I/O-bound? The server's CPU time per request, its use of its cores at the knee, and the link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiment.codec import to_dict
from experiment.figures.frame import axis, dots, hover_text, log_axis
from experiment.figures.palette import LIGHT
from experiment.report.statistics import percentile
from experiment.wording import milliseconds, number, size
from loadtest.answers.answer import Answer, answer, not_known
from loadtest.machine import shares_machine
from loadtest.questions.energy import Energy, EnergyMeter, energy_answer
from loadtest.questions.link import Link, link_to
from loadtest.questions.server_cpu import CpuMeter, meter_of
from loadtest.questions.target import TIMEOUT_S, Target, addresses
from loadtest.records import Payload
from loadtest.send.load import keep_in_flight
from loadtest.send.recording import Watch

KEY, QUESTION = "cpu_bound", "Is it limited by the CPU or by waiting (I/O)?"
IN_FLIGHT = (1, 2, 4, 8, 16, 32)
AT_KNEE = 0.95  # the knee: the fewest requests in flight that reach this part of the highest rate
GROWS = 1.2  # times the rate of the step before: the last step is not at a limit
FAILURES_MOST = 0.01  # then the ladder ends
FULL = 0.95  # of the cores, by all programs together: none could have more
BUSY, IDLE = 0.8, 0.5  # of its cores: above the first it is CPU-bound, below the second it is not
GENERATOR_BUSY_PERCENT = 90.0  # of one core: more can't be sent


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the ladder."""

    in_flight: int
    answered: int
    failures: int
    rate_per_s: float
    p50_ms: float
    cpu_s: float | None  # of the server; None: not known
    all_programs_s: float | None  # of every program on the same cores; None: not known
    seconds: float
    generator_percent: float  # CPU time of this program, of one core
    energy: Energy | None
    answer_bytes: int | None  # of the answer in the middle

    @property
    def cpu_ms(self) -> float | None:
        """The server's CPU time per answered request."""
        return None if self.cpu_s is None else self.cpu_s * 1e3 / self.answered

    @property
    def computing(self) -> float:
        """The part of a request's time in which the server computes; more than 1 with several threads."""
        return (self.cpu_ms or 0.0) / self.p50_ms * self.in_flight

    def busy(self, cores: int | None) -> float | None:
        """The part of the server's cores that was in use, 0 to 1."""
        return None if self.cpu_s is None or not cores else self.cpu_s / self.seconds / cores


def is_it_cpu_bound(target: Target, payload: Payload, seconds: float, watch: Watch) -> tuple[Answer, Answer]:
    """This answer and that about energy, from one ladder of about `seconds`."""
    meter, energy = meter_of(target), EnergyMeter()
    steps: list[Step] = []
    with energy:
        for count in IN_FLIGHT:
            step = _step(target, payload, count, seconds / len(IN_FLIGHT), (meter, energy), watch)
            if step:
                steps.append(step)
            if not step or step.failures > FAILURES_MOST * step.answered or watch.cancel.is_set():
                break
    if not steps:
        return not_known(KEY, QUESTION, f"Not known: {target.name} answered no request."), energy_answer(None)
    knee = knee_of(steps)
    return _answer(target, payload, meter, steps, knee), energy_answer(knee.energy, knee.answered)


def knee_of(steps: Sequence[Step]) -> Step:
    """The step with the fewest requests in flight that reaches nearly the highest rate."""
    highest = max(step.rate_per_s for step in steps)
    return next(step for step in steps if step.rate_per_s >= AT_KNEE * highest)


def verdict(steps: Sequence[Step], meter: CpuMeter) -> str:
    """What the CPU time says, as a sentence. The first step has one request in flight."""
    one, knee = steps[0], knee_of(steps)
    if not meter.is_known or one.cpu_ms is None or knee.cpu_ms is None:
        return (
            f"Not known: the server's CPU time can't be read ({meter.reason or 'its process ended'}). "
            "Run this on the server's machine, or read its container's CPU time beside it."
        )
    each = f"A request takes {milliseconds(knee.cpu_ms)} of CPU time"
    busy = knee.busy(meter.cores)
    if busy is None:
        return f"{each}. How many cores the server may use is not known, so neither is what limits it."
    cores = f"{meter.cores} core{'' if meter.cores == 1 else 's'}"
    use = f"{min(100 * busy, 100):.0f} % of its {cores} in use at the knee"
    knee_words = f"({knee.in_flight} at once, {number(knee.rate_per_s)} requests/s)"
    return _limit(steps, busy, (f"{use} {knee_words}", each), meter.cores or 1)


def _limit(steps: Sequence[Step], busy: float, words: tuple[str, str], cores: int) -> str:
    """Which limit it is; the first that fits counts."""
    one, knee, (use, each) = steps[0], knee_of(steps), words
    generator = f"{knee.generator_percent:.0f} % of a core"
    limits = {
        f"CPU-bound: {use}. {each}, of {milliseconds(one.p50_ms)} for one request alone.": busy >= BUSY,
        f"Not known: this program was at its limit ({generator}), not the server: {use}. {each}. Use a "
        "larger picture, or several of these.": knee.generator_percent > GENERATOR_BUSY_PERCENT,
        f"Not known: no limit was reached, the rate still grew with {knee.in_flight} requests at once. "
        f"{use}. {each}.": _still_grows(steps),
        f"CPU-bound, by all programs together: {use} by the server, and the rest by others on the same "
        f"cores (this program: {generator}). {each}.": (knee.all_programs_s or 0.0)
        >= FULL * knee.seconds * cores,
        f"CPU-bound in one thread: {use}, though a request computes nearly all of its "
        f"{milliseconds(one.p50_ms)}. {each}. More worker threads or replicas would use the other cores.": (
            BUSY <= one.computing <= 1 / BUSY
        ),
        f"Not CPU-bound: only {use}. {each}. It waits for something else: a GPU, a disk, another service, a "
        "lock, or too few worker threads.": busy < IDLE,
        f"Partly CPU-bound: {use}. {each}; the rest is waiting.": True,
    }
    return next(sentence for sentence, is_so in limits.items() if is_so)


def _still_grows(steps: Sequence[Step]) -> bool:
    """Whether the last step of a whole ladder was much faster than the one before."""
    is_whole = steps[-1].in_flight == IN_FLIGHT[-1]
    return is_whole and steps[-1].rate_per_s > GROWS * max(step.rate_per_s for step in steps[:-1])


def link_words(target: Target, request_bytes: int, answer_bytes: int | None, rate_per_s: float) -> str:
    """Bytes of a request and its answer against the link, as a sentence."""
    both = request_bytes + (answer_bytes or 0)
    sent = f"{size(request_bytes)} go and {size(answer_bytes) if answer_bytes else 'unknown bytes'} come back"
    link = link_to(addresses(target.info)[0])
    return f"{sent} with each request; {_used(link, both, rate_per_s)}"


def _used(link: Link, both_bytes: int, rate_per_s: float) -> str:
    megabits_per_s = both_bytes * 8 * rate_per_s / 1e6
    flow = f"{number(megabits_per_s)} Mbit/s at the knee"
    if link.interface == "lo":
        return f"{flow}, over loopback: there is no link that could be the limit here."
    if link.megabits_per_s is None:
        return f"{flow}. The speed of the link{f' {link.interface}' if link.interface else ''} is not known."
    share = 100 * megabits_per_s / link.megabits_per_s
    verdict = "the link is the limit." if share > 80 else "the link is not the limit."
    return f"{flow}, {number(share)} % of {link.interface}'s {link.megabits_per_s:,.0f} Mbit/s: {verdict}"


def _step(
    target: Target,
    payload: Payload,
    count: int,
    seconds: float,
    meters: tuple[CpuMeter, EnergyMeter],
    watch: Watch,
) -> Step | None:
    meter, energy = meters
    energy.start()
    before, all_before = meter.cpu_s() if meter.is_known else None, meter.all_programs_s()
    taken = keep_in_flight(target.info, payload, count, seconds, TIMEOUT_S, watch, warmups=0)
    after, all_after = meter.cpu_s() if meter.is_known else None, meter.all_programs_s()
    used = energy.stop()
    good = [sample.latency_ms for sample in taken.samples if sample.ok]
    if not good:
        return None
    sizes = [sample.answer_bytes for sample in taken.samples if sample.answer_bytes is not None]
    return Step(
        in_flight=count,
        answered=len(good),
        failures=len(taken.samples) - len(good),
        rate_per_s=len(good) / taken.seconds,
        p50_ms=percentile(good, 50),
        cpu_s=_since(before, after),
        all_programs_s=_since(all_before, all_after),
        seconds=taken.seconds,
        generator_percent=taken.generator.cpu_percent,
        energy=used,
        answer_bytes=sorted(sizes)[len(sizes) // 2] if sizes else None,
    )


def _since(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _answer(target: Target, payload: Payload, meter: CpuMeter, steps: Sequence[Step], knee: Step) -> Answer:
    answer_bytes = steps[0].answer_bytes
    link = link_words(target, payload.median_bytes, answer_bytes, knee.rate_per_s)
    sentence = f"{verdict(steps, meter)} {link}"
    columns = (
        *("In flight", "requests/s", "p50, ms", "server CPU, ms per request", "of its cores, %"),
        *("this program, % of a core", "failed"),
    )
    rows = [_row(step, meter) for step in steps]
    facts = {
        "knee_in_flight": knee.in_flight,
        "rate_per_s": knee.rate_per_s,
        "cpu_ms": knee.cpu_ms,
        "busy": knee.busy(meter.cores),
        "cores": meter.cores,
        "request_bytes": payload.median_bytes,
        "answer_bytes": answer_bytes,
    }
    return answer(
        *(KEY, QUESTION, sentence, columns, rows, _lines(steps, meter), _layout(steps)),
        notes=_notes(steps, target),
        facts=facts,
        measured=list(map(to_dict, steps)),
    )


def _row(step: Step, meter: CpuMeter) -> list[Any]:
    busy = step.busy(meter.cores)
    return [
        *(step.in_flight, round(step.rate_per_s, 2), round(step.p50_ms, 3)),
        None if step.cpu_ms is None else round(step.cpu_ms, 3),
        None if busy is None else round(100 * busy, 1),
        *(round(step.generator_percent, 1), step.failures),
    ]


def _lines(steps: Sequence[Step], meter: CpuMeter) -> list[dict[str, Any]]:
    highest = max(step.rate_per_s for step in steps)
    rates = [100 * step.rate_per_s / highest for step in steps]
    lines = [_line("rate, % of the highest", steps, rates, 0)]
    busy = [step.busy(meter.cores) for step in steps]
    if None not in busy:
        lines.append(_line("server's cores in use, %", steps, [100 * (part or 0) for part in busy], 1))
    lines.append(_line("this program, % of a core", steps, [step.generator_percent for step in steps], 2))
    return lines


def _line(name: str, steps: Sequence[Step], values: Sequence[float], place: int) -> dict[str, Any]:
    hover = [
        hover_text(name, f"{step.in_flight} in flight: {number(value)}")
        for step, value in zip(steps, values, strict=True)
    ]
    look = {"color": LIGHT.backends[place], "symbol": ("circle", "square", "diamond")[place], "size": 8}
    counts = [step.in_flight for step in steps]
    return dots(
        counts, values, hover, name=name, mode="lines+markers", marker=look, line={"color": look["color"]}
    )


def _layout(steps: Sequence[Step]) -> dict[str, Any]:
    counts = [float(step.in_flight) for step in steps]
    return {
        "xaxis": log_axis(LIGHT, "Requests in flight", counts),
        "yaxis": axis(LIGHT, "%", rangemode="tozero"),
    }


def _notes(steps: Sequence[Step], target: Target) -> list[str]:
    notes = [f"Closed loop, {steps[0].seconds:.1f} s for each step; failed requests are not in the CPU time."]
    if shares_machine(target.info):
        notes.append("Server and this program share the machine: the server may reach more on its own.")
    return notes
