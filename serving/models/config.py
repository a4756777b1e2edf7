"""The configuration of the served models: base paths, which versions, labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving.config.flag_values import local_path
from serving.errors import InvalidArgument

PLATFORMS = ("", "tensorflow")


@dataclass(frozen=True)
class Policy:
    """Which of the versions on disk are served. By default the highest one."""

    latest: int = 1  # how many, the highest ones
    specific: frozenset[int] | None = None  # if given: exactly these
    every: bool = False  # if true: all

    def choose(self, on_disk: Collection[int]) -> set[int]:
        """The versions to serve, out of those on disk."""
        if self.every:
            return set(on_disk)
        if self.specific is not None:
            return set(self.specific & set(on_disk))
        return set(sorted(on_disk)[-self.latest :])


@dataclass(frozen=True)
class ModelConfig:
    """The configuration of one model."""

    name: str
    base_path: Path
    policy: Policy = Policy()
    labels: Mapping[str, int] = field(default_factory=dict)  # label to version


def from_proto(config: Any) -> list[ModelConfig]:
    """The models of a ModelServerConfig. Raises InvalidArgument, naming the model and what is wrong."""
    if config.WhichOneof("config") is None:
        # A file that is being written is empty for a moment: that must not take every model down.
        raise InvalidArgument("The configuration is empty. To serve nothing, give model_config_list {}.")
    if config.WhichOneof("config") == "custom_model_config":
        raise InvalidArgument("custom_model_config is not supported. Use model_config_list.")
    models: dict[str, ModelConfig] = {}
    for proto in config.model_config_list.config:
        model = _model_config(proto)
        if model.name in models:
            raise InvalidArgument(f"Illegal to list model {model.name} multiple times in config list")
        models[model.name] = model
    return list(models.values())


def _model_config(proto: Any) -> ModelConfig:
    if not proto.name:
        raise InvalidArgument("A model in the config list has no name.")
    if not proto.base_path:
        raise InvalidArgument(f"Model {proto.name} has no base_path in the config list.")
    if proto.model_platform not in PLATFORMS:
        raise InvalidArgument(
            f"Model {proto.name}: model_platform {proto.model_platform!r} is not supported. "
            'Leave it out, or set "tensorflow"; the files decide which runtime is used.'
        )
    try:
        base_path = local_path(proto.base_path)
    except ValueError as problem:
        raise InvalidArgument(f"The base_path of model {proto.name} can't be used: {problem}.") from problem
    return ModelConfig(proto.name, base_path, _policy(proto), {**proto.version_labels})


def _policy(proto: Any) -> Policy:
    policy = proto.model_version_policy
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return Policy(every=True)
    if kind == "specific":
        if not policy.specific.versions:
            raise InvalidArgument(f"Model {proto.name}: model_version_policy specific names no version.")
        return Policy(specific=frozenset(policy.specific.versions))
    return Policy(latest=policy.latest.num_versions or 1)
