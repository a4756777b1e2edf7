"""The command line, read and checked: `tensorflow_model_server`'s flags, and those that pin a server."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from serving.config.flag_table import FLAGS, NO_PATH, WITHOUT_EFFECT
from serving.errors import StartRefused


@dataclass(frozen=True)
class Flags:
    """What was asked for. Names, units and defaults stand in flag_table.py."""

    port: int
    grpc_socket_path: str
    rest_api_port: int
    rest_api_num_threads: int
    rest_api_timeout_in_ms: int
    model_name: str
    model_base_path: Path
    model_config_file: Path
    model_config_file_poll_wait_seconds: float
    file_system_poll_wait_seconds: float
    allow_version_labels_for_unavailable_models: bool
    enable_batching: bool
    batching_parameters_file: Path
    monitoring_config_file: Path
    ssl_config_file: Path
    grpc_max_threads: int
    grpc_channel_arguments: tuple[tuple[str, Any], ...]
    saved_model_tags: tuple[str, ...]
    enable_model_warmup: bool
    num_request_iterations_for_warmup: int
    tensorflow_session_parallelism: int
    tensorflow_intra_op_parallelism: int
    tensorflow_inter_op_parallelism: int
    per_process_gpu_memory_fraction: float
    prefer_tflite_model: bool
    version: bool
    host: str
    cpus: int | None
    cores: tuple[int, ...] | None
    device: str
    runtime: str
    precision: str
    concurrency: int
    queue_limit: int
    isa: str
    accept_changed_outputs: bool
    exit_with_parent: bool
    list_devices: bool

    @property
    def is_pinned(self) -> bool:
        """Whether the threads should be as many as the cores."""
        return self.cpus is not None or self.cores is not None


def parse(arguments: Sequence[str]) -> Flags:
    """Raises StartRefused, naming the flag, for anything unknown or impossible."""
    known, unknown = _parser().parse_known_args(arguments)
    surprising = [each for each in unknown if each.partition("=")[0] not in WITHOUT_EFFECT]
    if surprising:
        raise StartRefused(_unknown(surprising[0]))
    flags = Flags(**vars(known))
    if not flags.list_devices and not flags.version:
        _check(flags)
    return flags


def _check(flags: Flags) -> None:
    if flags.model_base_path == NO_PATH and flags.model_config_file == NO_PATH:
        raise StartRefused(
            "--model_base_path is missing: the directory that holds 1/saved_model.pb. "
            "For several models give --model_config_file."
        )
    if not (flags.port or flags.rest_api_port or flags.grpc_socket_path):
        raise StartRefused("--port and --rest_api_port are both 0, so nobody could ask anything. Set one.")
    if flags.port == flags.rest_api_port != 0:
        raise StartRefused(f"--port and --rest_api_port are both {flags.port}. They must differ.")
    if flags.batching_parameters_file != NO_PATH and not flags.enable_batching:
        raise StartRefused("--batching_parameters_file has an effect only with --enable_batching. Add that.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m serving", description=__doc__, allow_abbrev=False)
    for name, options in FLAGS.items():
        parser.add_argument(name, **options)
    return parser


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, instead of printing the whole usage."""

    def error(self, message: str) -> NoReturn:
        raise StartRefused(f"{message}. `python -m serving --help` lists the flags.")


def _unknown(argument: str) -> str:
    flag = argument.partition("=")[0]
    if flag == "--replicas":
        return (
            "--replicas is no longer a flag. Start one server for each port, and let a load balancer "
            "(Kubernetes, Envoy) or the client (gRPC's round_robin policy) spread the requests."
        )
    if not flag.startswith("-"):
        return f"{argument!r} is not a flag, and this command takes flags only."
    return f"Unknown flag {flag}. `python -m serving --help` lists those there are."
