"""What compose.yaml, the swarm stack and the Kubernetes manifests would start, in one form.

Each way of deployment is read as it is written, and becomes a list of `Container`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.deploy.dockerfile import ROOT, all_stages

WEB, SERVING, MODEL, API = "web", "serving", "model", "api"
API_IMAGE = "tensorflow_inference_api_cpu"  # the earlier demo's name for it
STOCK_ENV = {"MODEL_NAME": "model", "MODEL_BASE_PATH": "/models"}  # of the image tensorflow/serving
STOCK_ENTRYPOINT = (  # /usr/bin/tf_serving_entrypoint.sh of that image
    "tensorflow_model_server",
    "--port=8500",
    "--rest_api_port=8501",
    "--model_name=${MODEL_NAME}",
    "--model_base_path=${MODEL_BASE_PATH}/${MODEL_NAME}",
)


@dataclass(frozen=True)
class Container:
    """One container, as its orchestrator would start it."""

    service: str  # the name under which others find it
    role: str  # WEB, SERVING, MODEL or API
    image: str
    command: tuple[str, ...]  # the whole of it: entry point and arguments, variables filled in
    environ: Mapping[str, str]  # that of the image below that of the deployment
    mounts: Mapping[str, str]  # path in it -> name of the volume
    published: Mapping[int, int]  # port of the host or node -> port in it
    health: tuple[str, ...] | int  # a command, or the port of `health_path`
    health_path: str
    needs_gpu: bool
    spec: Mapping[str, Any]  # as written, for what only one orchestrator has


def read_compose(path: Path = ROOT / "compose.yaml", profiles: str = "") -> list[Container]:
    """As `docker compose config` reads it."""
    return of_services(compose_services(path, profiles))


def compose_services(
    path: Path = ROOT / "compose.yaml", profiles: str = "", more: Path | None = None
) -> dict[str, Any]:
    """The specification of each service, by name; `more`: a second file, laid over the first."""
    files = ["-f", str(more)] if more else []
    command = [*files, "config", "--format", "json"]
    found = json.loads(compose(*command, path=path, COMPOSE_PROFILES=profiles))
    services: dict[str, Any] = found["services"]
    return services


def read_swarm(*paths: Path) -> list[Container]:
    """As `docker stack deploy -c first -c second` reads them, without the variables' other values."""
    return of_services(swarm_services(*paths))


def swarm_services(*paths: Path) -> dict[str, Any]:
    """The specification of each service, by name."""
    services: dict[str, Any] = {}
    for path in paths or (ROOT / "deploy" / "swarm" / "pixelcost.yaml",):
        text = re.sub(r"\$\{\w+(?::-([^}]*)|\?[^}]*)\}", r"\1", path.read_text("utf-8"))
        for name, spec in yaml.safe_load(text)["services"].items():
            before = services.get(name, {})
            spec |= {
                key: [_long(key, each) for each in spec[key]] for key in ("ports", "volumes") if key in spec
            }
            environ = {**before.get("environment", {}), **spec.get("environment", {})}
            services[name] = {**before, **spec, "environment": environ}
    return services


def _long(key: str, written: Any) -> Any:
    """A port or volume in the long form: "4343:4343", "/mnt/models:/models:ro"."""
    if not isinstance(written, str):
        return written
    first, second, *more = written.split(":")
    if key == "ports":
        return {"published": int(first), "target": int(second)}
    return {"type": "bind", "source": first, "target": second, "read_only": more == ["ro"]}


def of_services(services: Mapping[str, Any]) -> list[Container]:
    """The containers that these services would start."""
    return [_from_compose(name, spec) for name, spec in services.items()]


def read_kubernetes(folder: Path = ROOT / "k8s") -> list[Container]:
    """As `kubectl apply` reads the manifests: init containers before the others of their pod."""
    objects = [
        each
        for path in sorted(folder.glob("manifest-*.yaml"))
        for each in yaml.safe_load_all(path.read_text("utf-8"))
    ]
    return of_objects(objects)


def of_objects(objects: Sequence[Mapping[str, Any]]) -> list[Container]:
    """The containers of the Deployments among these objects of Kubernetes, as a chart renders them too."""
    return [
        container
        for each in objects
        if each["kind"] == "Deployment"
        for container in _from_pod(each["metadata"]["name"], each["spec"]["template"]["spec"], objects)
    ]


READERS: Mapping[str, Callable[[], list[Container]]] = {
    "compose": read_compose,
    "swarm": read_swarm,
    "kubernetes": read_kubernetes,
}


def compose(*arguments: str, path: Path = ROOT / "compose.yaml", **environ: str) -> str:
    """Run docker compose, the one of this environment, on a file. Fails with what it said."""
    command = [str(Path(sys.executable).parent / "docker-compose"), "-f", str(path), *arguments]
    clean = {"PATH": os.environ["PATH"], **environ}
    done = subprocess.run(command, cwd=path.parent, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _from_compose(name: str, spec: Mapping[str, Any]) -> Container:
    role, environ, entrypoint = _image(spec["image"])
    environ |= spec.get("environment") or {}
    reservations = spec.get("deploy", {}).get("resources", {}).get("reservations", {})
    return Container(
        service=name,
        role=role,
        image=spec["image"],
        command=_filled((*entrypoint, *(spec.get("command") or _default_command(role))), environ),
        environ=environ,
        mounts={
            each["target"]: each.get("source", "") for each in _volumes(spec) if each["type"] == "volume"
        },
        published={int(port["published"]): port["target"] for port in spec.get("ports", ())},
        health=_health_command(role, spec.get("healthcheck", {})),
        health_path="",
        needs_gpu=bool(reservations.keys() & {"devices", "generic_resources"}),
        spec=spec,
    )


def _from_pod(
    service: str, pod: Mapping[str, Any], objects: Sequence[Mapping[str, Any]]
) -> Iterable[Container]:
    for spec in (*pod.get("initContainers", ()), *pod["containers"]):
        role, environ, entrypoint = _image(spec["image"])
        environ |= {each["name"]: each["value"] for each in spec.get("env", ()) if "value" in each}
        arguments = spec.get("args") or ([] if spec.get("command") else _default_command(role))
        ports = {each["name"]: each["containerPort"] for each in spec.get("ports", ())}
        probe = spec.get("startupProbe", {}).get("httpGet", {})
        yield Container(
            service=service,
            role=role,
            image=spec["image"],
            command=_filled((*(spec.get("command") or entrypoint), *arguments), environ),
            environ=environ,
            mounts={each["mountPath"]: f"{service}-{each['name']}" for each in spec.get("volumeMounts", ())},
            published=_node_ports(service, ports, objects),
            health=ports.get(probe.get("port"), ()),
            health_path=probe.get("path", ""),
            needs_gpu="nvidia.com/gpu" in spec.get("resources", {}).get("limits", {}),
            spec=spec | {"pod": pod},
        )


def _node_ports(
    service: str, ports: Mapping[str, int], objects: Sequence[Mapping[str, Any]]
) -> dict[int, int]:
    found = [each for each in objects if each["kind"] == "Service" and each["metadata"]["name"] == service]
    return {
        port["nodePort"]: ports[port["targetPort"]]
        for each in found
        for port in each["spec"]["ports"]
        if "nodePort" in port and port["targetPort"] in ports
    }


def _image(image: str) -> tuple[str, dict[str, str], tuple[str, ...]]:
    """Role, environment and entry point of an image: of ours from the Dockerfile."""
    repository = re.sub(r"(:[^/@]*)?(@.*)?$", "", image)
    if repository.endswith("tensorflow/serving"):
        return SERVING, dict(STOCK_ENV), STOCK_ENTRYPOINT
    role = API if repository == API_IMAGE else repository.rpartition("pixelcost-")[2]
    stage = all_stages()[role]
    return role, stage.environment({}), tuple(stage.command("ENTRYPOINT"))


def _default_command(role: str) -> list[str]:
    return [] if role == SERVING else all_stages()[role].command("CMD")


def _health_command(role: str, healthcheck: Mapping[str, Any]) -> tuple[str, ...]:
    """That of the deployment, else that of the image."""
    written = [part.replace("$$", "$") for part in healthcheck.get("test", ())[1:]]
    return tuple(written or ([] if role == SERVING else all_stages()[role].command("HEALTHCHECK")))


def _filled(command: Iterable[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(re.sub(r"\$\{(\w+)\}", lambda name: environ[name[1]], part) for part in command)


def _volumes(spec: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    volumes: Sequence[Mapping[str, Any]] = spec.get("volumes", ())
    return volumes
