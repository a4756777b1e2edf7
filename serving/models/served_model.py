"""A served model: its versions, and which of them a request is for."""

from __future__ import annotations

from dataclasses import dataclass

from tensorflow_serving.apis import model_pb2

from serving.errors import InvalidArgument, NotFound, Unavailable
from serving.models.config import ModelConfig
from serving.models.version import END, Status, Version


@dataclass(frozen=True)
class ModelSpec:
    """Which model and version a request is for, or which one answered it."""

    name: str
    version: int | None = None  # None: the highest one that is served
    label: str = ""

    @classmethod
    def from_proto(cls, proto: model_pb2.ModelSpec) -> ModelSpec:
        """Raises InvalidArgument without a name."""
        if not proto.name:
            raise InvalidArgument("Missing ModelSpec")
        version = proto.version.value if proto.HasField("version") else None
        return cls(proto.name, version, proto.version_label)

    def as_proto(self, signature_name: str = "") -> model_pb2.ModelSpec:
        """As it stands in an answer: with the version that was used."""
        version = {"value": self.version}
        return model_pb2.ModelSpec(name=self.name, version=version, signature_name=signature_name)


class ServedModel:
    """May be read from any thread; only the manager changes it."""

    def __init__(self, config: ModelConfig):
        self.config = config
        self.versions: dict[int, Version] = {}

    def latest(self) -> Version | None:
        """The highest version that is served."""
        return max(self.available(), key=lambda version: version.number, default=None)

    def available(self) -> list[Version]:
        return [version for version in list(self.versions.values()) if version.is_available]

    def forget(self, keep: int) -> None:
        """Drop the versions that were unloaded or failed, except for the `keep` highest."""
        ended = sorted(number for number, version in self.versions.items() if version.status.state == END)
        gone = set(ended[: max(0, len(ended) - keep)])
        self.versions = {number: version for number, version in self.versions.items() if number not in gone}

    def resolve(self, spec: ModelSpec) -> Version:
        """The version that a request is for. Raises NotFound, InvalidArgument or Unavailable."""
        number = self._labelled(spec.label) if spec.label else spec.version
        version = self.latest() if number is None else self.versions.get(number)
        if version and version.is_available:
            return version
        if version is None and self.versions and number is None:
            raise Unavailable(self._why_none())
        raise NotFound(f"Servable not found for request: {requested(spec, number)}")

    def statuses(self, spec: ModelSpec) -> list[Status]:
        """Highest version first, with the unloaded and failed ones. Raises NotFound or InvalidArgument."""
        number = self._labelled(spec.label) if spec.label else spec.version
        if number is None:
            versions = sorted(self.versions.values(), key=lambda version: -version.number)
            return [version.status for version in versions]
        if number not in self.versions:
            raise NotFound(f"Could not find version {number} of model {spec.name}")
        return [self.versions[number].status]

    def _labelled(self, label: str) -> int:
        if label not in self.config.labels:
            raise InvalidArgument(f"Unrecognized servable version label: {label}")
        return self.config.labels[label]

    def _why_none(self) -> str:
        statuses = [version.status for version in list(self.versions.values())]
        failed = next((status for status in statuses if status.error_message), None)
        if failed:
            return f"No version of {self.config.name} could be loaded: {failed.error_message}"
        if all(status.state == END for status in statuses):
            return f"No version of {self.config.name} is served any more."
        return f"{self.config.name} is still loading. Ask again in a few seconds."


def requested(spec: ModelSpec, number: int | None) -> str:
    """A request in TensorFlow Serving's words, which clients compare."""
    return f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"
