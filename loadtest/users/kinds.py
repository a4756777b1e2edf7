"""The four kinds of users: over which protocol, and whether a request holds one input or a batch."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Protocol = Literal["grpc", "rest"]

SINGLE_TAG, BATCH_TAG = "singleinference", "batchinference"  # of Locust, as the files are often called with
DEFAULT_BATCH = 4


@dataclass(frozen=True, slots=True)
class Kind:
    """One of them. Locust's name of the class, its tag, and the names of its files follow from it."""

    name: str  # "rest_single": begins the names of its files
    protocol: Protocol
    is_batch: bool
    user_class: str  # in locustfile.py

    @property
    def tag(self) -> str:
        """The tag of its task."""
        return BATCH_TAG if self.is_batch else SINGLE_TAG


KINDS: Final = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind("rest_single", "rest", False, "RestSingle"),
            Kind("grpc_single", "grpc", False, "GrpcSingle"),
            Kind("rest_batch", "rest", True, "RestBatch"),
            Kind("grpc_batch", "grpc", True, "GrpcBatch"),
        )
    }
)
