"""The ways to change one place. An operator yields what stands there afterwards; GONE takes it away.

Each gets the place, the object that it is in, the others of its kind, and a random number generator.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from random import Random
from typing import Any

from tests.deploy.generated.places import Place, at

GONE = object()
NUMBER = re.compile(r"(?P<before>(?:.*=)?)(?P<number>\d+)(?P<unit>m|[KMGT]i?|s|gb|mb|%)?")
FREE_KEYS = re.compile(
    r"(?:abels|elector|matchLabels|limits|requests|data|annotations|triggers\[.*\]\.metadata)$"
)

# Field -> the values that the API takes. A value is changed into each of the others.
LEGAL: dict[str, Sequence[str]] = {
    "accessModes": ("ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany", "ReadWriteOncePod"),
    "averageUtilization": (),
    "dnsPolicy": ("Default", "ClusterFirst", "None"),
    "effect": ("NoSchedule", "NoExecute", "PreferNoSchedule"),
    "operator": ("Exists", "Equal"),
    "pathType": ("Prefix", "Exact", "ImplementationSpecific"),
    "policyTypes": ("Ingress", "Egress"),
    "protocol": ("TCP", "UDP", "SCTP"),
    "seccompProfile.type": ("RuntimeDefault", "Unconfined", "Localhost"),
    "spec.type": ("ClusterIP", "NodePort", "LoadBalancer"),
    "strategy.type": ("Recreate", "RollingUpdate"),
    "unhealthyPodEvictionPolicy": ("AlwaysAllow", "IfHealthyBudget"),
    "whenUnsatisfiable": ("ScheduleAnyway", "DoNotSchedule"),
    "drop": ("ALL", "NET_RAW"),
    "updateStrategy.type": ("RollingUpdate", "OnDelete"),
}

# What a hand adds, and the API takes: end of the path of a mapping -> key, value.
ADDED: Sequence[tuple[str, str, Any]] = (
    (r"template\.spec$", "hostNetwork", True),
    (r"template\.spec$", "hostAliases", [{"ip": "10.0.0.1", "hostnames": ["tf-serving-8cpu"]}]),
    (r"template\.spec$", "dnsPolicy", "Default"),
    (r"template\.spec$", "shareProcessNamespace", True),
    (r"template\.spec$", "activeDeadlineSeconds", 3600),
    (r"template\.spec$", "nodeName", "node-1"),
    (r"template\.spec$", "serviceAccountName", "admin"),
    (r"template\.spec$", "priorityClassName", "system-node-critical"),
    (r"template\.spec\.containers\[[^]]*\]$", "workingDir", "/root"),
    (r"template\.spec\.containers\[[^]]*\]$", "tty", True),
    (r"template\.spec\.containers\[[^]]*\]$", "imagePullPolicy", "Never"),
    (r"template\.spec\.containers\[[^]]*\]$", "envFrom", [{"secretRef": {"name": "other"}}]),
    (r"\.emptyDir$", "medium", "Memory"),
    (r"\.secretKeyRef$", "optional", True),
    (r"\.secret$", "optional", True),
    (r"\.configMap$", "optional", True),
    (r"volumeMounts\[[^]]*\]$", "subPath", "other"),
    (r"volumeMounts\[[^]]*\]$", "readOnly", True),
    (r"Probe$", "initialDelaySeconds", 600),
    (r"Probe$", "successThreshold", 5),
    (r"Probe\.httpGet$", "host", "127.0.0.1"),
    (r"Probe\.httpGet$", "scheme", "HTTPS"),
    (r"^Service spec$", "internalTrafficPolicy", "Local"),
    (r"^Service spec$", "externalTrafficPolicy", "Local"),
    (r"^Service spec$", "publishNotReadyAddresses", True),
    (r"^Service spec$", "sessionAffinity", "ClientIP"),
    (r"^Service spec$", "externalIPs", ["10.0.0.1"]),
    (r"^Deployment spec$", "paused", True),
    (r"^Deployment spec$", "minReadySeconds", 3600),
    (r"^Deployment spec$", "progressDeadlineSeconds", 10),
    (r"^NetworkPolicy spec$", "ingress", [{}]),
    (r"^NetworkPolicy spec$", "egress", [{}]),
    (r"^(Service|Deployment) metadata$", "finalizers", ["example.org/stay"]),
    (r"^Deployment metadata$", "annotations", {"note": "changed by hand"}),
)

Operator = Callable[[str, Place, Any, Sequence[Any], Random], Iterator[Any]]


def remove(kind: str, place: Place, whole: Any, others: Sequence[Any], rng: Random) -> Iterator[Any]:
    """The field or item is gone."""
    yield GONE


def by_ten(kind: str, place: Place, whole: Any, others: Sequence[Any], rng: Random) -> Iterator[Any]:
    """A number, also in a quantity or at the end of a flag, times ten and a tenth."""
    value = place.value
    if isinstance(value, int) and not isinstance(value, bool):
        yield value * 10
        yield value // 10
    match = NUMBER.fullmatch(value) if isinstance(value, str) else None
    if match:
        number, unit = int(match["number"]), match["unit"] or ""
        yield f"{match['before']}{number * 10}{unit}"
        yield f"{match['before']}{number // 10}{unit}"


def misspell(kind: str, place: Place, whole: Any, others: Sequence[Any], rng: Random) -> Iterator[Any]:
    """Two letters of a word are swapped, or one is left out."""
    value = place.value
    if not isinstance(value, str):
        return
    spots = [i for i in range(len(value) - 1) if value[i : i + 2].isalpha() and value[i] != value[i + 1]]
    if spots:
        spot = rng.choice(spots)
        yield value[:spot] + value[spot + 1] + value[spot] + value[spot + 2 :]
        yield value[:spot] + value[spot + 1 :]


def misspell_key(kind: str, place: Place, whole: Any, others: Sequence[Any], rng: Random) -> Iterator[Any]:
    """A key of a mapping whose keys are names of ours: a label, a resource, a file."""
    if isinstance(place.value, dict) and FREE_KEYS.search(place.text):
        for key in place.value:
            yield {(name[:-1] if name == key else name): value for name, value in place.value.items()}


def widen(kind: str, place: Place, whole: Any, others: Sequence[Any], rng: Random) -> Iterator[Any]:
    """A selector chooses everything, peers or rules have one more that does, an address is a network."""
    last = place.path[-1]
    if isinstance(place.value, dict) and str(last).lower().endswith(("selector", "matchlabels")):
        yield {}
    if last in {"from", "to"} and kind == "NetworkPolicy":
        yield [*place.value, {"namespaceSelector": {}}]
        yield [*place.value, {"ipBlock": {"cidr": "0.0.0.0/0"}}]
    if last in {"ingress", "egress"} and kind == "NetworkPolicy":
        yield [*place.value, {}]
    if last == "ports" and kind == "NetworkPolicy":
        yield [*place.value, {"port": 22, "protocol": "TCP"}]
    if last == "cidr":
        yield re.sub(r"/\d+$", "/8", place.value)


def swap(kind: str, place: Place, whole: Any, others: Sequence[Any], rng: Random) -> Iterator[Any]:
    """Two fields, items or values of items change places."""
    value = place.value
    if isinstance(value, dict):
        keys = [key for key in value if isinstance(value[key], str | int | float)]
        for i, one in enumerate(keys):
            for other in keys[i + 1 :]:
                if type(value[one]) is type(value[other]) and value[one] != value[other]:
                    yield {**value, one: value[other], other: value[one]}
    if isinstance(value, list):
        rows = [
            i for i, each in enumerate(value) if isinstance(each, dict) and {"name", "value"} <= each.keys()
        ]
        flags = [i for i, each in enumerate(value) if str(each).startswith("--") and "=" in str(each)]
        for one, other in pairwise(rows):
            made = copy.deepcopy(value)
            made[one]["value"], made[other]["value"] = value[other]["value"], value[one]["value"]
            yield made
        for one, other in pairwise(flags):
            (first, _, a), (second, _, b) = value[one].partition("="), value[other].partition("=")
            made = list(value)
            made[one], made[other] = f"{first}={b}", f"{second}={a}"
            yield made


def other_legal(kind: str, place: Place, whole: Any, others: Sequence[Any], rng: Random) -> Iterator[Any]:
    """Another value that the API takes in this field; a switch is turned."""
    if isinstance(place.value, bool):
        yield not place.value
    for field, values in LEGAL.items():
        if re.search(rf"(^|\.){re.escape(field)}(\[\d+\])?$", place.text) and place.value in values:
            yield from (each for each in values if each != place.value)


def add(kind: str, place: Place, whole: Any, others: Sequence[Any], rng: Random) -> Iterator[Any]:
    """A field that the API takes here, and that was not there."""
    if isinstance(place.value, dict):
        for pattern, key, value in ADDED:
            text = f"{kind} {place.text}" if " " in pattern else place.text
            if re.search(pattern, text) and key not in place.value:
                yield {**place.value, key: value}


def of_another(kind: str, place: Place, whole: Any, others: Sequence[Any], rng: Random) -> Iterator[Any]:
    """What another object of this kind has at this place."""
    if isinstance(place.value, str | int):
        for other in others:
            try:
                value = at(other, place.path)
            except (KeyError, IndexError, TypeError):
                continue
            if type(value) is type(place.value) and value != place.value:
                yield value


def twice(kind: str, place: Place, whole: Any, others: Sequence[Any], rng: Random) -> Iterator[Any]:
    """The last item of a list is there again."""
    if isinstance(place.value, list) and place.value:
        yield [*place.value, copy.deepcopy(place.value[-1])]


OPERATORS: dict[str, Operator] = {
    "remove": remove,
    "by ten": by_ten,
    "misspell": misspell,
    "misspell key": misspell_key,
    "widen": widen,
    "swap": swap,
    "other legal value": other_legal,
    "add": add,
    "value of another": of_another,
    "twice": twice,
}
