"""Which versions of its model a backend answered with: a server may switch in the middle of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from experiment.records import BackendInfo, Measurement
from experiment.report.contention import host_of
from experiment.wording import listed


@dataclass(slots=True)
class VersionsSeen:
    """The answers of one backend, in the order of the run."""

    requests: int = 0
    first_at: dict[int, int] = field(default_factory=dict)  # version -> its first request, from 1
    changes: int = 0
    latest: int | None = None

    def add(self, measurement: Measurement) -> None:
        """Take in the next request. Answers that name no version, as over REST, tell nothing."""
        self.requests += 1
        version = measurement.prediction.model_version if measurement.prediction else None
        if version is None:
            return
        self.changes += self.latest not in (None, version)
        self.latest = version
        self.first_at.setdefault(version, self.requests)


def seen_in(measurements: Iterable[Measurement]) -> Mapping[str, VersionsSeen]:
    """By the names of backends."""
    seen: dict[str, VersionsSeen] = defaultdict(VersionsSeen)
    for measurement in measurements:
        seen[measurement.backend_name].add(measurement)
    return seen


def several_versions(backends: Iterable[BackendInfo], seen: Mapping[str, VersionsSeen]) -> Iterator[str]:
    """A sentence for each backend whose figures mix versions, or are not those of the version that it had."""
    infos = list(backends)
    for info in infos:
        found = seen.get(info.name)
        if found is None or not found.first_at:
            continue
        if len(found.first_at) > 1:
            yield f"{_mixed(info.name, found)} Measure again, now that it serves one.{_unsaid(info, infos)}"
        elif info.version is not None and info.version not in found.first_at:
            yield (
                f"{info.name} served version {info.version} of its model when the run was prepared, and all "
                f"answers are of version {found.latest}: its model changed in between."
            )


def _mixed(name: str, found: VersionsSeen) -> str:
    if found.changes == 1:
        (before, _), (after, at) = found.first_at.items()
        return (
            f"The model of {name} changed in the middle: version {before} answered up to request {at - 1:,} "
            f"of {found.requests:,}, version {after} from request {at:,} on. Figures and answers mix both."
        )
    parts = [f"{version} (first at request {at:,})" for version, at in found.first_at.items()]
    return (
        f"{name} answered {found.requests:,} requests with versions {listed(parts)} of its model, in turns: "
        "its replicas serve different ones, or it changed several times. Figures and answers mix them."
    )


def _unsaid(info: BackendInfo, infos: Iterable[BackendInfo]) -> str:
    """The same server over REST, whose answers name no version."""
    host = host_of(info)
    names = [
        each.name
        for each in infos
        if each.protocol == "rest" and host and host_of(each) == host and each.model == info.model
    ]
    return f" So may {listed(names)}, as answers over REST name no version." if names else ""
