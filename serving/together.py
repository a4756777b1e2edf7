"""`--replicas N`: the started process is the front of N others, each of them a server as without it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from serving import assembly, ports
from serving.config.flags import Flags
from serving.front import Front
from serving.machine import affinity
from serving.replicas import Replicas, share_cores

REST_THREADS = 8  # for each replica


class Stop(Protocol):
    """What ends the server."""

    is_serving: bool

    def __call__(self) -> None: ...
    def wait(self) -> None: ...


def serve(asked: Flags, arguments: Sequence[str], stop: Stop, say: Callable[[str], None]) -> int:
    """Serve until `stop`; `say` hears when all are ready. Returns the exit code, a replica's own or 0."""
    pool = affinity.choose(None, asked.cores, os.sched_getaffinity(0)).cores
    settings = assembly.read_files(asked)
    wanted = assembly.wanted_ports(asked, settings)
    taken = ports.take(replace(wanted, queue_limit=wanted.queue_limit * asked.replicas))
    assembly.model_configs(asked)  # refuses once what every replica would refuse
    shares = share_cores(pool, asked.cpus, asked.replicas)
    front = Front(taken, REST_THREADS * asked.replicas)
    stop.is_serving = True  # from here on an end has to be an orderly one
    commands = [_command(arguments, asked, cores) for cores in shares]
    replicas = Replicas(commands, wanted.requests_at_once, front.on_change)
    front.start(replicas, sorted({core for share in shares for core in share}))
    replicas.start()
    words = f"{asked.model_name} on {taken}, {asked.replicas} replicas on {_listed(shares)}"
    threading.Thread(target=_tell, args=(replicas, words, stop, say), daemon=True).start()
    stop.wait()
    front.stop()
    replicas.stop()
    return replicas.exit_code


def _command(arguments: Sequence[str], asked: Flags, cores: Sequence[int]) -> list[str]:
    """The same flags; of those given twice the last one counts."""
    elsewhere = ["--port=0", "--rest_api_port=0", "--grpc_socket_path=", "--ssl_config_file="]
    own = ["--replicas=1", *elsewhere, "--behind_front", "--exit_with_parent"]
    if asked.is_pinned:
        own += [f"--cores={','.join(map(str, cores))}", f"--cpus={asked.cpus or len(cores)}"]
    return [*arguments, *own]


def _tell(replicas: Replicas, words: str, stop: Stop, say: Callable[[str], None]) -> None:
    if replicas.wait_ready():
        say(f"serving {words}")
    else:
        stop()


def _listed(shares: Sequence[Sequence[int]]) -> str:
    return " and ".join("cores " + ",".join(map(str, share)) for share in shares)
