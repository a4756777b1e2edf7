"""The request of one variant to one backend, as a command or file for curl, grpcurl, ghz or Locust; to a
queue, for curl and the gateway, or as a script in Python.

It downloads the variant from its run and sends the same request as Pixelcost. Names may hold any character:
they are quoted for the shell, literals in Python, and plain text in comments.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from experiment.backends.base import MESSAGE_LIMIT_BYTES
from experiment.copy_as.protoset import FILE_NAME, METHOD, SERVICE
from experiment.records import BackendInfo

HERE = Path(__file__).parent
TOKEN_SETTING = "PIXELCOST_TOKEN"  # noqa: S105  the name of a variable, not a token
GATEWAY_SETTING, REDIS_SETTING = "GATEWAY", "REDIS_URL"  # names of variables that the reader sets
REQUESTS = 200  # of a load test, one at a time as Pixelcost sends them
_SLOT: Final = object()  # where the image's base64 goes


@dataclass(frozen=True, slots=True)
class Target:
    """A variant and the backend that gets it."""

    what: str  # "512 px JPEG"
    variant_id: str
    variant_url: str
    protoset_url: str
    info: BackendInfo  # over gRPC, or over REST if it has nothing else
    rest_address: str | None  # "host:port"; None: gRPC only
    needs_token: bool = False  # to download the variant


def curl(target: Target) -> str:
    """A predict request over REST with curl; without REST, over gRPC with grpcurl. To a queue, a job."""
    if target.info.protocol == "queue":
        return _curl_to_gateway(target)
    if target.rest_address is None:
        return grpcurl(target)
    body = {"signature_name": target.info.signature, "instances": [{"b64": _SLOT}]}
    send = _words(
        *("curl", "-sS", "-H", "Content-Type: application/json", "-H", "Expect:"),
        *("--data-binary", "@-", f"http://{target.rest_address}{_rest_path(target.info)}"),
    )
    return _script(target, f"{target.what} to {target.info.name} over REST.", [_piped(target, body, send)])


def grpcurl(target: Target) -> str:
    """A predict request over gRPC, with grpcurl."""
    send = _words(
        *("grpcurl", "-plaintext", "-protoset", FILE_NAME, "-max-msg-sz", str(MESSAGE_LIMIT_BYTES)),
        *("-d", "@", target.info.address, f"{SERVICE}/{METHOD}"),
    )
    title = f"{target.what} to {target.info.name} over gRPC, with grpcurl."
    return _script(target, title, [_protoset(target), _piped(target, _grpc_request(target.info), send)])


def ghz(target: Target) -> str:
    """A load test over gRPC, one request at a time, with ghz."""
    title = f"{target.what} to {target.info.name} over gRPC, {REQUESTS} times, one at a time, with ghz."
    data = f"request-{target.variant_id}.json"
    make = f"{_piped(target, _grpc_request(target.info), 'cat')} > {shlex.quote(data)}"
    run = _words(
        *("ghz", "--insecure", "--protoset", FILE_NAME, "--call", f"{SERVICE}.{METHOD}"),
        *("-c", "1", "-n", str(REQUESTS), "-D", f"./{data}", target.info.address),
    )
    return _script(target, title, [_protoset(target), make, run])


def locust(target: Target) -> str:
    """A file for Locust, over REST if the backend has it, else over gRPC."""
    if target.rest_address is None:
        return _locust_file(target, "locust", "grpc", target.info.address)
    return _locust_file(target, "locust", "rest", target.rest_address)


def locust_grpc(target: Target) -> str:
    """A file for Locust over gRPC, whether or not the backend has REST."""
    return _locust_file(target, "locust-grpc", "grpc", target.info.address)


def python(target: Target) -> str:
    """A script that submits the variant to the queue and waits for its result."""
    literals = {
        "variant_url": target.variant_url,
        "variant_id": target.variant_id,
        "address": target.info.address,
    }
    words = {
        "title": _plain(f"{target.what} to {target.info.name}"),
        "file": file_name("python", target.variant_id),
        "redis_url": REDIS_SETTING,
        "token": TOKEN_SETTING,
    }
    template = Template((HERE / "python_queue.txt").read_text("utf-8"))
    return template.substitute({key: repr(value) for key, value in literals.items()} | words)


KINDS: Final[Mapping[str, Callable[[Target], str]]] = MappingProxyType(
    {
        "curl": curl,
        "grpcurl": grpcurl,
        "ghz": ghz,
        "locust": locust,
        "locust-grpc": locust_grpc,
        "python": python,
    }
)


def kinds_for(info: BackendInfo) -> tuple[str, ...]:
    """The kinds that fit a backend."""
    of_queues = ("curl", "python")
    if info.protocol == "queue":
        return of_queues
    return tuple(kind for kind in KINDS if kind != "python")


def file_name(kind: str, variant_id: str) -> str:
    """The name to save it under, which a Locust file's own instructions use: "locust_512_jpeg_85.py"."""
    if not kind.startswith(("locust", "python")):
        return f"{kind}-{variant_id}.sh"
    return f"{_plain(f'{kind}-{variant_id}').replace('-', '_').replace(' ', '_')}.py"


def _curl_to_gateway(target: Target) -> str:
    """A queue has no HTTP of its own, and the address of its gateway is not known here."""
    place = _plain(target.info.address)
    title = f"{target.what} to {target.info.name}, through the gateway."
    send = _words("curl", "-fsS", "-D", "-", "-o", "/dev/null", "-H", "Expect:", "--data-binary", "@-")
    return _script(
        target,
        title,
        [
            f"# Set {GATEWAY_SETTING} to the address of a gateway of {place}",
            f'{GATEWAY_SETTING}="${{{GATEWAY_SETTING}:-http://localhost:4343}}"',
            f'JOB=$({_fetch(target, target.variant_url)} |\n  {send} "${GATEWAY_SETTING}/jobs" |\n'
            "  tr -d '\\r' | sed -n 's/^[Ll]ocation: //p')",
            f'curl -sS "${GATEWAY_SETTING}$JOB?wait=60"',
        ],
    )


def _locust_file(target: Target, kind: str, protocol: str, address: str) -> str:
    template = Template((HERE / f"locust_{protocol}.txt").read_text("utf-8"))
    info = target.info
    literals = {
        "variant_url": target.variant_url,
        "variant_id": target.variant_id,
        "address": address,
        "path": _rest_path(info),
        "model": info.model,
        "signature": info.signature,
        "input_key": info.input_key,
        "method": f"/{SERVICE}/{METHOD}",
    }
    words = {"title": _plain(f"{target.what} to {info.name}"), "file": file_name(kind, target.variant_id)}
    return template.substitute({key: repr(value) for key, value in literals.items()} | words)


def _script(target: Target, title: str, steps: list[str]) -> str:
    token = [f"# Set {TOKEN_SETTING} first: this Pixelcost asks for a token."] if target.needs_token else []
    return "\n".join([f"# {_plain(title)}", *token, *steps]) + "\n"


def _piped(target: Target, body: Mapping[str, Any], send: str) -> str:
    """A pipe: download the image, put its base64 into `body` at _SLOT, pass that to the command `send`."""
    mark = "@@"
    while mark in json.dumps(body, default=lambda _: ""):  # a model's name may contain it
        mark += "@"
    before, after = json.dumps(body, default=lambda _: mark).split(mark)
    around = f"{{ printf %s {shlex.quote(before)}; cat; printf %s {shlex.quote(after)}; }}"
    return f"{_fetch(target, target.variant_url)} | base64 | tr -d '\\n' |\n  {around} |\n  {send}"


def _fetch(target: Target, url: str, *options: str) -> str:
    """The download command. It reads the token from the environment, so that no copied text holds it."""
    token = f' -H "Authorization: Bearer ${TOKEN_SETTING}"' if target.needs_token else ""
    return f"curl -fsS{token} {_words(*options, url)}"


def _protoset(target: Target) -> str:
    return _fetch(target, target.protoset_url, "-o", FILE_NAME)


def _grpc_request(info: BackendInfo) -> dict[str, Any]:
    """A PredictRequest as JSON, in which bytes are base64."""
    tensor = {"dtype": "DT_STRING", "tensor_shape": {"dim": [{"size": "1"}]}, "string_val": [_SLOT]}
    return {
        "model_spec": {"name": info.model, "signature_name": info.signature},
        "inputs": {info.input_key: tensor},
    }


def _rest_path(info: BackendInfo) -> str:
    return f"/v1/models/{quote(info.model, safe='')}:predict"


def _words(*words: str) -> str:
    return " ".join(map(shlex.quote, words))


def _plain(text: str) -> str:
    """Text for a comment: on one line, without characters that end it or that a shell interprets."""
    return "".join(char if char.isprintable() and char not in "\"'\\`$" else "_" for char in text)
