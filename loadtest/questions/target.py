"""Target: the server that the questions are about, over gRPC, over REST, and its page for Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiment.backends.base import RequestFailed
from experiment.backends.model_spec import InputSpec, input_spec
from experiment.records import BackendInfo
from loadtest.errors import LoadRefused

TIMEOUT_S = 60.0  # of one request
STATUS_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Target:
    """One server, or its replicas. `info` is how it is asked first; the other protocol may be missing."""

    info: BackendInfo
    rest: BackendInfo | None = None  # the same server over REST; None: not known, or `info` is REST
    metrics_url: str | None = None  # of its page for Prometheus; None: the default of TensorFlow Serving

    @property
    def name(self) -> str:
        """For sentences."""
        return self.info.name

    @property
    def over_rest(self) -> BackendInfo | None:
        """The server over REST, whichever way it is asked first."""
        return self.info if self.info.protocol == "rest" else self.rest

    @property
    def over_grpc(self) -> BackendInfo | None:
        """The server over gRPC."""
        return self.info if self.info.protocol == "grpc" else None

    def spec(self) -> InputSpec:
        """What the model takes. Raises LoadRefused if the server does not say."""
        try:
            return input_spec(self.info, STATUS_TIMEOUT_S)
        except RequestFailed as failed:
            raise LoadRefused(failed.failure.message) from None


def addresses(info: BackendInfo | None) -> Sequence[str]:
    """Each "host:port" of a backend."""
    return tuple(filter(None, info.address.split(","))) if info else ()
