"""Rules for what compose.yaml and the swarm stack would start, mostly as lists of what is allowed.

For every rule `tests/deploy/test_compose_mistakes.py` makes a mistake on purpose, and the rule meant for it
has to find it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from experiment.errors import ConfigRefused
from tests.support.deploy.deployments import API, API_IMAGE, MODEL, SERVING, WEB, Container
from webapp.config import read_settings, rows

BOTH = {"cap_drop", "command", "deploy", "environment", "healthcheck", "image", "init", "ports", "read_only"}
BOTH |= {"stop_grace_period", "user", "volumes"}
PARTS = {"build", "cpuset", "depends_on", "entrypoint", "network_mode", "networks", "profiles", "restart"}
LIMITS = {"mem_limit", "pids_limit"}
KEYS = {  # everything else is refused: privileged, pid, devices, extra_hosts, ...
    "compose": BOTH | PARTS | LIMITS | {"security_opt", "tmpfs"},
    "swarm": BOTH | {"logging", "secrets"},
}
MOUNTS = {  # by role: path in the container -> volume, and whether it is read only
    WEB: {"/data": ("data", False)},
    SERVING: {"/models/inception": ("model", True)},
    MODEL: {"/models/inception": ("model", False)},
    API: {"/models": ("/mnt/models", True), "/cache": (None, False)},
}
PUBLISHED = {WEB: {30501: 5051}, API: {4343: 4343}}  # by role; the others: nothing
RESTARTS = {
    "compose": {WEB: "unless-stopped", SERVING: "unless-stopped", MODEL: None},
    "swarm": {WEB: "any", SERVING: "any", MODEL: "on-failure", API: "on-failure"},
}
KEEPER = "node.labels.pixelcost.data == true"  # the node with the volume of the runs
DRIVER = "[[ -e /dev/nvidiactl ]] || "
LEAST_LOADING_S = {SERVING: 120, API: 300}  # until a server that is not healthy yet is replaced
ENDS_S = {WEB: (15, 60), SERVING: (10, 60), API: (15, 60)}  # the page closes its streams within ten
HEALTH_PORT = "/dev/tcp/127.0.0.1/8501 "

Found = Iterator[tuple[str, str]]
Rule = Callable[[str, Sequence[Container]], Found]


def problems(way: str, containers: Sequence[Container]) -> list[tuple[str, str, str]]:
    """(rule, service, what is wrong) for everything that is; `way` is "compose" or "swarm"."""
    return [(name, *found) for name, rule in RULES.items() for found in rule(way, containers)]


def _keys(way: str, containers: Sequence[Container]) -> Found:
    for each in containers:
        if more := each.spec.keys() - KEYS[way]:
            yield each.service, f"sets {', '.join(more)}, which nothing here needs"


def _hardened(way: str, containers: Sequence[Container]) -> Found:
    wanted = {"user": "10001:10001", "read_only": True, "cap_drop": ["ALL"]}
    if way == "compose":
        wanted |= {"security_opt": ["no-new-privileges:true"], "init": True}
    for each in containers:
        for key, value in wanted.items():
            if each.spec.get(key) != value:
                yield each.service, f"{key} is {each.spec.get(key)}, not {value}"


def _image(way: str, containers: Sequence[Container]) -> Found:
    for each in containers:
        if (each.image != API_IMAGE and re.search(r":latest$|^[^:]+$", each.image)) or each.spec.get(
            "entrypoint"
        ):
            yield (
                each.service,
                f"runs {each.image}, {each.spec.get('entrypoint')}: no version, or not its own program",
            )


def _networks(way: str, containers: Sequence[Container]) -> Found:
    for each in containers:
        mode = each.spec.get("network_mode", "own")
        if mode != ("none" if (way, each.role) == ("compose", MODEL) else "own"):
            yield each.service, f"its network is {mode}"


def _volumes(way: str, containers: Sequence[Container]) -> Found:
    for each in containers:
        rows_ = [row for row in each.spec.get("volumes", ()) if row["type"] != "tmpfs"]
        found = {row["target"]: (row.get("source"), row.get("read_only", False)) for row in rows_}
        of_host = {row["target"] for row in rows_ if row["type"] != "volume"}
        if found != MOUNTS[each.role] or of_host != ({"/models"} if each.role == API else set()):
            yield each.service, f"mounts {found}, not {MOUNTS[each.role]}"


def _scratch(way: str, containers: Sequence[Container]) -> Found:
    for each in containers:
        found = dict(part.partition(":size=")[::2] for part in each.spec.get("tmpfs", ()))
        for row in each.spec.get("volumes", ()):
            if row["type"] == "tmpfs":
                found[row["target"]] = row.get("tmpfs", {}).get("size")
        if found.keys() - {"/tmp"} or (not found and each.role != MODEL):
            yield each.service, f"may write to {list(found) or 'nothing'}, not to /tmp"
        if not all(found.values()):
            yield each.service, "may fill the memory of its host from /tmp"


def _published(way: str, containers: Sequence[Container]) -> Found:
    for each in containers:
        if each.published != PUBLISHED.get(each.role, {}):
            yield each.service, f"is published at {each.published}"
        if any(port.get("host_ip") != "127.0.0.1" for port in each.spec.get("ports", ()) if way == "compose"):
            yield each.service, "is published to everybody who reaches this machine"


def _restarts(way: str, containers: Sequence[Container]) -> Found:
    for each in containers:
        policy = each.spec.get("deploy", {}).get("restart_policy", {}).get("condition")
        if (policy if way == "swarm" else each.spec.get("restart")) != RESTARTS[way][each.role]:
            yield each.service, f"is not restarted as meant: {RESTARTS[way][each.role]}"


def _health(way: str, containers: Sequence[Container]) -> Found:
    for each in containers:
        if each.role == SERVING and not (each.health and HEALTH_PORT in str(each.health[-1])):
            yield each.service, "its health is not asked at the port that speaks HTTP"
        if way == "swarm" and each.needs_gpu and DRIVER not in str(each.health):
            yield each.service, "without NVIDIA's runtime it would serve on the CPU and be called a GPU"
        if each.role == API and "http://127.0.0.1:4343/readyz" not in str(each.health):
            yield each.service, "its health is not whether its models are ready"
        if each.spec.get("healthcheck", {}).get("disable"):
            yield each.service, "nobody looks at its health"


def _settings(way: str, containers: Sequence[Container]) -> Found:
    keys = {row.key for row in rows()} - {"PIXELCOST_TOKEN_FILE"}  # that file is in the container
    for each in containers:
        if each.role != WEB:
            continue
        if unknown := (each.spec.get("environment") or {}).keys() - keys - {"PIXELCOST_TOKEN_FILE"}:
            yield each.service, f"{', '.join(unknown)} is no setting of the app"
        try:
            read_settings(
                {key: str(value) for key, value in each.environ.items() if key in keys}, dotenv=None
            )
        except ConfigRefused as error:
            yield each.service, error.message


def _token(way: str, containers: Sequence[Container]) -> Found:
    for each in containers:
        if each.role == WEB:
            given = each.environ
            if given.get("PIXELCOST_TOKEN") or given.get("DATABASE_URL"):
                yield each.service, "a secret stands in the file"
            if way == "compose" and "PIXELCOST_TOKEN" not in given:
                yield each.service, "the token that the reader sets does not reach the page"
            yield from _token_file(each, given.get("PIXELCOST_TOKEN_FILE"))


def _token_file(web: Container, path: str | None) -> Found:
    """A secret is where the setting says, and the app's user alone reads it."""
    wanted = {"uid": "10001", "gid": "10001", "mode": 0o400}
    secrets = {f"/run/secrets/{each['target']}": each for each in web.spec.get("secrets", ())}
    if secrets.keys() != ({path} if path else set()):
        yield web.service, f"the token is at {list(secrets)}, but looked for at {path}"
    for each in secrets.values():
        if not wanted.items() <= each.items():
            yield web.service, f"the secret is not for the app's user alone: {each}"


def _cores(way: str, containers: Sequence[Container]) -> Found:
    taken: set[int] = set()
    for each in containers:
        if way == "compose" and each.role in {WEB, SERVING} and not each.needs_gpu:
            own = _numbers(each.spec.get("cpuset", ""))
            if not own or own & taken:
                yield each.service, f"has no cores of its own: {sorted(own & taken) or 'any'}"
            taken |= own


def _numbers(cpuset: str) -> set[int]:
    """ "0,2-3" as {0, 2, 3}."""
    pairs = [part.partition("-") for part in cpuset.split(",") if part]
    return {number for first, _, last in pairs for number in range(int(first), int(last or first) + 1)}


def _resources(way: str, containers: Sequence[Container]) -> Found:
    for each in containers:
        found = each.spec.get("deploy", {}).get("resources", {})
        reserved, limits = found.get("reservations", {}), found.get("limits", {})
        least, most = (_bytes(part.get("memory", "0")) for part in (reserved, limits))
        if way == "swarm" and not least <= most:
            yield each.service, f"waits for {reserved['memory']}, more than its {limits['memory']}"
        if way == "compose" and not each.spec.keys() >= LIMITS:
            yield each.service, "may take all memory, or all processes, of its host"
        if each.role == API and not limits.keys() >= {"cpus", "memory"}:
            yield each.service, f"is limited in {list(limits) or 'nothing'}"
        if way == "swarm" and each.role not in {MODEL, API} and reserved.get("cpus") != limits.get("cpus"):
            yield each.service, f"may get {reserved.get('cpus')} of its {limits.get('cpus')} CPUs"
        if each.image.partition("@")[0].endswith("-gpu") != (_gpus(reserved) == 1):
            yield each.service, f"the image {each.image} goes with {_gpus(reserved)} GPUs"


def _bytes(text: str) -> int:
    """ "512M" as a number."""
    return int(text.rstrip("KMGT")) * 1024 ** " KMGT".index(text[-1] if text[-1] in "KMGT" else " ")


def _seconds(text: str) -> float:
    """ "1m30s" as a number."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[hms])", text)
    return sum(float(number) * {"h": 3600, "m": 60, "s": 1, "ms": 1e-3}[unit] for number, unit in parts)


def _ends(way: str, containers: Sequence[Container]) -> Found:
    for each in containers:
        least_s, most_s = ENDS_S.get(each.role, (0, 60))
        if not least_s <= _seconds(each.spec.get("stop_grace_period", "10s")) <= most_s:
            yield each.service, f"is not given {least_s} to {most_s} s to end"


def _loading(way: str, containers: Sequence[Container]) -> Found:
    for each in containers:
        if _seconds(each.spec.get("healthcheck", {}).get("start_period", "")) < LEAST_LOADING_S.get(
            each.role, 0
        ):
            yield each.service, "is replaced while it loads its model"


def _gpus(reserved: Mapping[str, Any]) -> int:
    """How many GPUs are asked for, in compose's or in swarm's words."""
    devices = [each for each in reserved.get("devices", ()) if each["capabilities"] == ["gpu"]]
    kinds = [each["discrete_resource_spec"] for each in reserved.get("generic_resources", ())]
    return sum(each["count"] for each in devices) + sum(
        each["value"] for each in kinds if each["kind"] == "gpu"
    )


def _spread(way: str, containers: Sequence[Container]) -> Found:
    for each in containers if way == "swarm" else ():
        deploy = each.spec["deploy"]
        if deploy.get("mode", "replicated") != ("global" if each.role == MODEL else "replicated"):
            yield each.service, "each node needs the model, and no node a page or server by itself"
        if each.role == WEB and (deploy["replicas"], deploy["update_config"]["order"]) != (1, "stop-first"):
            yield each.service, "two processes may come to share one SQLite file"
        if each.role == API and deploy["update_config"]["failure_action"] != "rollback":
            yield each.service, "a bad update stays"
        constraints = deploy.get("placement", {}).get("constraints", [])
        if constraints != ([KEEPER] if each.role == WEB else []):
            yield each.service, f"is placed by {constraints}"


RULES: Mapping[str, Rule] = {
    "keys": _keys,
    "hardened": _hardened,
    "image": _image,
    "networks": _networks,
    "volumes": _volumes,
    "scratch": _scratch,
    "published": _published,
    "restarts": _restarts,
    "health": _health,
    "settings": _settings,
    "token": _token,
    "cores": _cores,
    "resources": _resources,
    "spread": _spread,
    "ends": _ends,
    "loading": _loading,
}
