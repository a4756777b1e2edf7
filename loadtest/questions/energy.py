"""Energy by a counter of the machine: RAPL of its processors, or the power that nvidia-smi reads."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from experiment.figures.frame import axis
from experiment.figures.palette import LIGHT
from experiment.wording import listed, number
from loadtest.answers.answer import Answer, answer, not_known

POWERCAP = Path("/sys/class/powercap")
NVIDIA = ("nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits")
POWER_INTERVAL_S = 0.25
KEY, QUESTION = "energy", "How much energy does a request take?"
NO_COUNTER = "Unknown: no counter on this machine."


@dataclass(frozen=True, slots=True)
class Energy:
    """What was used while a load went on, idle power included. None: no counter."""

    processors_j: float | None
    gpus_j: float | None


@dataclass
class EnergyMeter:
    """Reads all counters that can be read. Use as a context manager, with start() and stop() in it."""

    powercap: Path = POWERCAP
    _before: dict[Path, int] = field(default_factory=dict)
    _powers_w: list[float] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _started_s: float = 0.0

    def __enter__(self) -> EnergyMeter:
        if _gpu_power_w() is not None:
            threading.Thread(target=self._watch_power, name="power", daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()

    def start(self) -> None:
        """Take the counters' values now."""
        self._before, self._started_s = self._read(), time.monotonic()
        self._powers_w.clear()

    def stop(self) -> Energy | None:
        """What was used since start(); None if no counter can be read."""
        seconds, after = time.monotonic() - self._started_s, self._read()
        domains = self._before.keys() & after.keys()
        processors_j = sum(_used_uj(place, self._before[place], after[place]) for place in domains) / 1e6
        powers_w = list(self._powers_w)
        gpus_j = seconds * sum(powers_w) / len(powers_w) if powers_w else None
        if not domains and gpus_j is None:
            return None
        return Energy(processors_j if domains else None, gpus_j)

    def _read(self) -> dict[Path, int]:
        """Counter of each processor package, in microjoules. Reading needs root on most machines."""
        return dict(_counters(self.powercap))

    def _watch_power(self) -> None:
        while not self._ended.is_set():
            power_w = _gpu_power_w()
            if power_w is not None:
                self._powers_w.append(power_w)
            self._ended.wait(POWER_INTERVAL_S)


def energy_answer(energy: Energy | None, requests: int = 0) -> Answer:
    """Energy per request, of a load with so many answers."""
    if energy is None or not requests:
        return not_known(KEY, QUESTION, NO_COUNTER)
    known = {"processors (RAPL)": energy.processors_j, "GPUs (nvidia-smi)": energy.gpus_j}
    each_j = {name: joules / requests for name, joules in known.items() if joules is not None}
    words = listed([f"{number(joules)} J by the {name}" for name, joules in each_j.items()])
    sentence = f"{words} for each request at the knee; all of the machine, idle power included."
    rows = [[name, round(joules, 6)] for name, joules in each_j.items()]
    bars = {
        "type": "bar",
        "x": list(each_j),
        "y": list(each_j.values()),
        "marker": {"color": LIGHT.serving},
        "showlegend": False,
    }
    layout = {"xaxis": axis(LIGHT, "", type="category"), "yaxis": axis(LIGHT, "J for each request")}
    return answer(KEY, QUESTION, sentence, ("Counter", "J for each request"), rows, [bars], layout)


def _counters(powercap: Path) -> Iterator[tuple[Path, int]]:
    for place in sorted(powercap.glob("intel-rapl:*")):
        if place.name.count(":") == 1:  # intel-rapl:0 is a package; intel-rapl:0:0 is a part of it
            try:
                yield place, int((place / "energy_uj").read_text("ascii"))
            except (OSError, ValueError):
                continue


def _used_uj(place: Path, before_uj: int, after_uj: int) -> int:
    """The difference; the counter starts again at 0 behind its range."""
    if after_uj >= before_uj:
        return after_uj - before_uj
    return after_uj - before_uj + int((place / "max_energy_range_uj").read_text("ascii"))


def _gpu_power_w() -> float | None:
    """Power of all GPUs now, in watts; None if it can't be read."""
    if shutil.which(NVIDIA[0]) is None:
        return None
    try:
        done = subprocess.run(NVIDIA, capture_output=True, text=True, timeout=5, check=True)
        return sum(float(line) for line in done.stdout.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
