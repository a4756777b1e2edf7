"""A checker of Kubernetes objects: objects in, problems out, no cluster.

Each rule is a row of a table with a name; a rule yields (where, what is wrong). For every rule
`tests/deploy/test_cluster_mistakes.py` makes a mistake on purpose, and the rule meant for it has to find it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tests.deploy.policy import (
    documented,
    hardening,
    network,
    pods,
    probing,
    queue,
    schema,
    serving,
    traffic,
    web,
    wiring,
)
from tests.deploy.policy.objects import Cluster

Rule = Callable[[Cluster], Iterator[tuple[str, str]]]


class Problem(NamedTuple):
    """One thing that is wrong."""

    rule: str
    where: str
    what: str


PARTS = (schema, pods, hardening, probing, wiring, serving, web, network, traffic, queue)
RULES: Mapping[str, Rule] = {name: rule for part in PARTS for name, rule in part.RULES.items()}
OF_MANIFESTS: Mapping[str, Rule] = {**RULES, **documented.RULES}


def problems(objects: Iterable[Mapping[str, Any]], rules: Mapping[str, Rule] = RULES) -> list[Problem]:
    """Everything that is wrong with objects that are applied together; empty when nothing is.

    `rules`: OF_MANIFESTS for k8s/ and what kustomize makes of it.
    """
    cluster = Cluster(objects)
    return [Problem(name, *found) for name, rule in rules.items() for found in rule(cluster)]
