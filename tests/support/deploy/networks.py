"""Hosts with addresses of their own on one machine: network namespaces, joined by a switch.

Nothing of the machine's own network is touched, and no packet leaves: the switch has no way out. All
is gone when the context ends. Needs root and iproute2; `why_not` of image_builder.py says so.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PREFIX = "pixelcost"
SUBNET = "10.77.0"  # exists only within the namespaces
# Least, usual and most per connection: less than a photo, so that sending one to a dead host has to wait.
SEND_BUFFER_BYTES = "4096 16384 65536"


@dataclass(frozen=True)
class Host:
    """One namespace; a place for a container's process (tests/support/deploy/rehearsal.py)."""

    namespace: str
    address: str
    port: str  # its end at the switch
    hosts_file: Path

    def wrapped(self, command: Sequence[str]) -> list[str]:
        """Run there, with names from the network's own hosts file: what a cluster's DNS would answer."""
        bind = 'mount --bind "$0" /etc/hosts && exec "$@"'
        enter = ["ip", "netns", "exec", self.namespace, "unshare", "--mount"]
        return [*enter, "sh", "-c", bind, str(self.hosts_file), *command]

    def localised(self, text: str) -> str:
        """Names and addresses are those of the deployment."""
        return text


class Network:
    """A switch and the hosts at it."""

    def __init__(self, folder: Path):
        _clear_left_behind()
        self._switch = f"{PREFIX}-{os.getpid()}-0"
        self._hosts: list[Host] = []
        self._hosts_file = folder / "hosts"
        self._hosts_file.write_text("127.0.0.1 localhost\n")
        _ip("netns", "add", self._switch)
        _ip("-n", self._switch, "link", "add", "name", "switch", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "switch", "up")

    def add(self) -> Host:
        """A further host, connected."""
        number = len(self._hosts) + 1
        namespace = self._switch.removesuffix("-0") + f"-{number}"
        host = Host(namespace, f"{SUBNET}.{number}", f"port{number}", self._hosts_file)
        _ip("netns", "add", namespace)
        self._hosts.append(host)
        link = ("link", "add", "name", host.port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("-n", self._switch, *link)
        _ip("-n", self._switch, "link", "set", host.port, "master", "switch", "up")
        _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", namespace, "addr", "add", f"{host.address}/24", "dev", "eth0")
        _ip("-n", namespace, "link", "set", "eth0", "up")
        _ip("netns", "exec", namespace, "sh", "-c", f"echo {SEND_BUFFER_BYTES} > /proc/sys/net/ipv4/tcp_wmem")
        return host

    def name(self, names: Mapping[str, Sequence[Host]]) -> None:
        """Make every host known under its service's name; a service may have several."""
        lines = [f"{host.address} {name}\n" for name, hosts in names.items() for host in hosts]
        with self._hosts_file.open("a") as file:
            file.writelines(lines)

    def name_address(self, name: str, address: str, hosts: Sequence[Host]) -> None:
        """A virtual address, as a Service has one: known by name, and one of each of these hosts' own."""
        for host in hosts:
            _ip("-n", host.namespace, "addr", "add", f"{address}/32", "dev", "lo")
        with self._hosts_file.open("a") as file:
            file.write(f"{address} {name}\n")

    def part(self, one: Host, other: Host) -> None:
        """Nothing that `one` sends reaches `other` any more, and nobody is told."""
        _ip("-n", one.namespace, "route", "add", "blackhole", other.address)

    def cut_off(self, host: Host) -> None:
        """As when a host loses its power: nobody tells the others."""
        _ip("-n", self._switch, "link", "set", host.port, "down")

    def close(self) -> None:
        """Remove every namespace."""
        for namespace in [*(host.namespace for host in self._hosts), self._switch]:
            _ip("netns", "delete", namespace)


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """A network with nobody in it yet."""
    made = Network(folder)
    try:
        yield made
    finally:
        made.close()


def _clear_left_behind() -> None:
    """Namespaces, and processes in them, of test runs that were killed before they could do it."""
    for line in _ip("netns", "list").splitlines():
        namespace = line.split()[0]
        prefix, _, rest = namespace.partition("-")
        if prefix != PREFIX or Path("/proc", rest.partition("-")[0]).exists():
            continue
        for pid in _ip("netns", "pids", namespace).split():
            os.kill(int(pid), signal.SIGKILL)
        _ip("netns", "delete", namespace)


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout
