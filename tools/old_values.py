"""python -m tools.old_values values.yaml: `serving:` of the Helm chart of 2017, as this chart's values.

Prints values for `helm install --values`; what has no counterpart stands above them, with the reason.
docs/migrating.md is the guide.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

Values = dict[str, Any]
CLIENTS = {"podSelector": {"matchLabels": {"pixelcost/client": "true"}}}
LEAST_CPU = 0.05  # of the chart's schema
REST_PORT = 8501
TYPES = ("ClusterIP", "NodePort", "LoadBalancer")

# What the old chart knew beside what is translated. A key stands for all below it.
DROPPED = {
    "global": "one value for all images and clouds; here each image and claim has its own",
    "storage.name": "the claim's name is enough",
    "storage.accessMode": "the claim must exist already; several nodes need ReadOnlyMany or ReadWriteMany",
    "storage.pv": "volumes are made by a storage class, or by you",
    "storage.pvc.request": "the claim must exist already",
    "tfCluster": "training is not a part of this chart",
    "evaluating": "training is not a part of this chart; `python -m experiment --photos` measures accuracy",
    "tensorboard": "training is not a part of this chart; the page shows what was measured",
    "serving.deploy": "the old chart never read it",
    "serving.service.internalPort": "pods listen at 8500 (gRPC) and 8501 (REST); clients see externalPort",
    "serving.resources.requests.memory": "request and limit are one value here: no pod is evicted for it",
}
OWN_PROGRAM = "TensorFlow Serving's own image is started with the same model; --keep-image keeps the old one"
TRANSLATED = (
    "storage.pvc.name",
    "serving.replicaCount",
    "serving.image.repo",
    "serving.image.name",
    "serving.image.dockerTag",
    "serving.service.name",
    "serving.service.dns",
    "serving.service.type",
    "serving.service.externalPort",
    "serving.service.command",
    "serving.settings.dataset",
    "serving.resources.requests.cpu",
    "serving.resources.limits.cpu",
    "serving.resources.limits.memory",
)


class Refused(ValueError):
    """Values that can't be translated; the text says which, and what to do."""


class Choices(NamedTuple):
    """What the old values leave open."""

    clients: Sequence[str] = ()  # namespaces whose pods may ask
    ingress_class: str = ""
    keep_image: bool = False


def translate(old: Mapping[str, Any], choices: Choices) -> tuple[Values, list[str]]:
    """Our values, and a sentence for each old key that is dropped or changed. Raises `Refused`."""
    serving = _part(old, "serving")
    if not serving:
        raise Refused(
            "there is no `serving:` in it. Is this a values.yaml of the chart `tensorflow` of 2017?"
        )
    service = _part(serving, "service")
    name = _text(service, "name", "serving")
    backend = {
        "name": name,
        "service": f"tf-{name}",
        "device": "cpu",
        **_resources(_part(serving, "resources")),
        "measure": False,
        "replicas": serving.get("replicaCount", 1),
        **(_program(serving, service) if choices.keep_image else {}),
    }
    dataset = _text(_part(serving, "settings"), "dataset", "imagenet")
    claim = _text(_part(_part(old, "storage"), "pvc"), "name", "tensorflow-fs")
    values: Values = {
        "web": {"enabled": False},
        "backends": [backend],
        "serving": {"expose": [_exposed(name, service, choices)]},
        "model": {
            "name": "inception",
            "source": "claim",
            "claim": {"name": claim, "subPath": f"{dataset}-checkpoints"},
            "batching": {"enabled": True},
        },
    }
    return values, [*_changed(old, values, choices), *_dropped(old, choices)]


def _resources(written: Mapping[str, Any]) -> Values:
    limits = _part(written, "limits")
    cpu = _cores(limits.get("cpu", "200m"), "serving.resources.limits.cpu")
    asked = _cores(_part(written, "requests").get("cpu", cpu), "serving.resources.requests.cpu")
    return {
        "cpu": max(cpu, LEAST_CPU),
        "cpuRequest": min(asked, max(cpu, LEAST_CPU)),
        "memory": _text(limits, "memory", "512Mi"),
    }


def _cores(written: Any, where: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(m?)", str(written))
    if not found or not float(found[1]):
        raise Refused(f"{where} is {written!r}. Write cores as 200m or 0.2.")
    return float(found[1]) / (1000 if found[2] else 1)


def _program(serving: Mapping[str, Any], service: Mapping[str, Any]) -> Values:
    image = _part(serving, "image")
    command = service.get("command", ["/serve.sh"])
    if isinstance(command, str):  # the old chart pasted a JSON list as it was written
        command = yaml.safe_load(command)
    if not isinstance(command, list):
        raise Refused(f"serving.service.command is {command!r}. Write a list, as [/serve.sh].")
    repository = "/".join(filter(None, (_text(image, "repo", ""), _text(image, "name", ""))))
    if not repository:
        raise Refused("--keep-image needs serving.image.repo, name and dockerTag.")
    tag = _text(image, "dockerTag", "")
    return {"image": {"repository": repository, "tag": tag}, "command": command, "rest": False}


def _exposed(name: str, service: Mapping[str, Any], choices: Choices) -> Values:
    port = service.get("externalPort", 8500)
    kind = _text(service, "type", "ClusterIP")
    if kind not in TYPES:
        raise Refused(f"serving.service.type is {kind!r}. Types are {', '.join(TYPES)}.")
    namespaces = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": each}}}
        for each in choices.clients
    ]
    exposed: Values = {"name": name, "backend": f"tf-{name}", "type": kind, "grpc": {"port": port}}
    if not choices.keep_image:
        exposed["rest"] = {"port": REST_PORT + 1} if port == REST_PORT else {}
    host = _text(service, "dns", "")
    if host and choices.ingress_class:
        exposed["ingressClassName"] = choices.ingress_class
        exposed["grpc" if choices.keep_image else "rest"]["host"] = host
    return exposed | {"from": namespaces or [CLIENTS]}


def _changed(old: Mapping[str, Any], values: Values, choices: Choices) -> Iterator[str]:
    """What is kept, but works in another way than before."""
    claim = values["model"]["claim"]
    yield (
        f"model.claim: the folder {claim['subPath']} of {claim['name']} must hold <version>/saved_model.pb; "
        "a training checkpoint can't be served. `python -m models check` says what a folder holds"
    )
    yield (
        f"backends: cpu {values['backends'][0]['cpu']} is a share of a core: it serves, and is "
        "marked as not for measuring (measure: false)"
    )
    yield "model.batching: as --enable_batching was; it groups requests and never reloaded a model"
    if not choices.clients:
        yield (
            'serving.expose: pods of this namespace that carry the label pixelcost/client: "true" may ask; '
            "before, everybody might. --clients NAMESPACE opens a namespace"
        )
    if choices.ingress_class:
        yield "serving.expose: also let the namespace of your Ingress controller in, with --clients NAMESPACE"
    cpu = _part(_part(_part(old, "serving"), "resources"), "limits").get("cpu", "200m")
    if _cores(cpu, "serving.resources.limits.cpu") < LEAST_CPU:
        yield f"serving.resources.limits.cpu: {cpu} was raised to {LEAST_CPU}, the least that the chart takes"


def _dropped(old: Mapping[str, Any], choices: Choices) -> Iterator[str]:
    dropped = dict(DROPPED)
    if not choices.keep_image:
        dropped |= dict.fromkeys(("serving.image", "serving.service.command"), OWN_PROGRAM)
    if not choices.ingress_class:
        dropped["serving.service.dns"] = "an Ingress needs a class: give it with --ingress-class"
    said = set()
    for path in _paths(old):
        above = [key for key in dropped if path == key or path.startswith(f"{key}.")]
        if above and above[0] not in said:
            said.add(above[0])
            yield f"{above[0]}: dropped: {dropped[above[0]]}"
        elif not above and path not in TRANSLATED:
            yield f"{path}: dropped: the old chart has no such value"


def _paths(values: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in values.items():
        path = f"{above}{key}"
        if isinstance(value, Mapping) and value:
            yield from _paths(value, f"{path}.")
        elif value is not None:  # a heading with nothing below it, as `settings:` of TensorBoard
            yield path


def _part(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = values.get(key) or {}
    if not isinstance(found, Mapping):
        raise Refused(f"`{key}:` is {found!r}, not a group of values.")
    return found


def _text(values: Mapping[str, Any], key: str, default: str) -> str:
    return str(values.get(key, default))


def written(values: Values, notes: Sequence[str]) -> str:
    """A values file: the notes as comments, then the values."""
    head = "".join(f"# {note}.\n" for note in notes)
    return f"{head}\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 2 with one sentence."""
    parser = argparse.ArgumentParser(prog="python -m tools.old_values", description=__doc__)
    parser.add_argument("values", type=Path, help="values.yaml of the old chart `tensorflow`")
    parser.add_argument(
        "--clients",
        action="append",
        default=[],
        metavar="NAMESPACE",
        help="whose pods may ask; can be given several times",
    )
    parser.add_argument("--ingress-class", default="", metavar="NAME", help="keeps service.dns, by Ingress")
    parser.add_argument("--keep-image", action="store_true", help="keeps the old image and its command")
    asked = parser.parse_args(arguments)
    try:
        old = yaml.safe_load(asked.values.read_text("utf-8"))
        if not isinstance(old, dict):
            raise Refused("it holds no values.")
        print(written(*translate(old, Choices(asked.clients, asked.ingress_class, asked.keep_image))), end="")
    except (OSError, UnicodeError, yaml.YAMLError, Refused) as error:
        said = getattr(error, "strerror", None) or str(error)
        print(f"{asked.values} can't be translated: {' '.join(said.split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
