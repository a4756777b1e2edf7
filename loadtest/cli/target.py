"""The target of a load: a configured backend by its name, an embedded one, or host:port."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from common.arguments import argument
from common.checks import number, number_text
from experiment.backends.addresses import REST_SUFFIX, parse_servers
from experiment.backends.base import RequestFailed
from experiment.backends.model_spec import InputSpec, input_spec
from experiment.backends.probe import probe
from experiment.cli.backends import asked_backends
from experiment.cli.session import Session
from experiment.embedded.profiles import parse_embedded
from experiment.records import BackendInfo
from experiment.settings import SharedSettings
from experiment.wording import NO_LOAD_ON_QUEUES, capitalised, listed
from loadtest.errors import LoadRefused

_PLACE = r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}"
PLACES = re.compile(rf"{_PLACE}(?:,{_PLACE})*")
MOST_PORT = 65535
METADATA_S = 10.0  # for the answer about what a model takes


def add_target_arguments(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """The options that say where the load goes."""
    add = parser.add_argument_group("target").add_argument
    place = "NAME|HOST:PORT"
    add(
        "--target", required=required, metavar=place, help="a backend's name, or where a model server answers"
    )
    add("--protocol", choices=("grpc", "rest"), default="grpc", help="a server's port is that of this (grpc)")
    add("--servers", metavar="TF_SERVERS", help='"name:host:port;..." instead of the environment')
    add("--model", help="name of the model on the server (MODEL_NAME)")
    add("--signature", help="signature of the model (MODEL_SIGNATURE_NAME)")
    add("--input", help="input of the signature (MODEL_INPUT_KEY)")
    timeout = argument(number_text(number(0.01, 600)))
    add("--timeout", type=timeout, metavar="S", help="of each request (TF_REQUEST_TIMEOUT, 60)")


def timeout_s(options: argparse.Namespace, session: Session) -> float:
    """How long a request may take."""
    return float(options.timeout or session.settings.tf_request_timeout_s)


@contextmanager
def the_target(options: argparse.Namespace, session: Session) -> Iterator[BackendInfo]:
    """The target, ready during the `with` block. Embedded servers are started if none run.

    Raises LoadRefused, with what to do, if it can't be loaded as asked.
    """
    name, settings = options.target, session.settings
    if PLACES.fullmatch(name) and name not in _configured(settings):
        yield _ready(_at(name, options, settings), options)
        return
    _check_name(name, settings)
    if options.protocol == "rest" and not name.endswith(REST_SUFFIX):
        name += REST_SUFFIX
        _check_rest(options.target, name, settings)
    with asked_backends(settings, [name], session.console, session.cancel) as asked:
        yield _ready(_with_options(asked.infos[0], options), options)


def _at(place: str, options: argparse.Namespace, settings: SharedSettings) -> BackendInfo:
    ports = [int(each.rpartition(":")[2]) for each in place.split(",")]
    if not all(1 <= port <= MOST_PORT for port in ports):
        raise LoadRefused(f"{place} has a port that is not from 1 to {MOST_PORT:,}.")
    if len(set(place.split(","))) < len(ports):
        raise LoadRefused(f"{place} names a server twice: each replica has an address of its own.")
    info = replace(settings.backend_defaults, name=place, address=place, protocol=options.protocol)
    return _with_options(info, options)


def _with_options(info: BackendInfo, options: argparse.Namespace) -> BackendInfo:
    return replace(
        info,
        model=options.model or info.model,
        signature=options.signature or info.signature,
        input_key=options.input or info.input_key,
    )


def _configured(settings: SharedSettings) -> list[str]:
    """Names of the backends that may be named, without starting any."""
    if settings.tf_servers:
        return [info.name for info in parse_servers(settings.tf_servers, settings.backend_defaults)]
    return [profile.name + end for profile in parse_embedded(settings.embedded) for end in ("", REST_SUFFIX)]


def _check_name(name: str, settings: SharedSettings) -> None:
    known = _configured(settings)
    if name not in known:
        url = " Leave out http://, and choose --protocol rest." if "://" in name else ""
        raise LoadRefused(
            f"There is no backend named {name}. Name one of {listed(known)}, or a server as host:port.{url}"
        )


def _check_rest(target: str, name: str, settings: SharedSettings) -> None:
    if name not in _configured(settings):
        raise LoadRefused(
            f"The REST port of {target} is not known. Add ?rest=8501 to its entry in TF_SERVERS, or name the "
            "server as host:port."
        )


def _ready(info: BackendInfo, options: argparse.Namespace) -> BackendInfo:
    """The target as it answers now, with what it takes. Raises LoadRefused unless it is ready."""
    if info.protocol == "queue":
        raise LoadRefused(f"{info.name} is a queue. {capitalised(NO_LOAD_ON_QUEUES)}")
    seen = probe(info)
    if getattr(options, "numbers", False) and seen.state in {"ready", "wrong_signature"}:
        return _of_numbers(seen)
    if seen.state != "ready":
        raise LoadRefused(f"{info.name} can't be loaded: {seen.detail}{_other_protocol(seen)}")
    return seen


def _other_protocol(info: BackendInfo) -> str:
    """A hint, if the port seems to be for the other protocol; else ""."""
    other = {"grpc": "rest", "rest": "grpc"}.get(info.protocol)
    is_likely = other and "HTTP" in info.detail
    return f" If this port is for the other protocol, add --protocol {other}." if is_likely else ""


def spec_of(info: BackendInfo) -> InputSpec:
    """The input of a model of numbers. Raises LoadRefused."""
    try:
        spec = input_spec(info, METADATA_S)
    except RequestFailed as failed:
        raise LoadRefused(f"It is not known what numbers to send: {failed.failure.message}") from None
    if not spec.takes_numbers:
        raise LoadRefused(f"The model of {info.name} takes no numbers but strings: choose --image FILE.")
    return spec


def _of_numbers(info: BackendInfo) -> BackendInfo:
    spec = spec_of(info)
    return replace(info, signature=spec.signature, input_key=spec.name, state="ready", detail="")
