"""How many mutants the rules find, and why the others are harmless."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.deploy.generated.mutants import Mutant
from tests.deploy.generated.places import Objects
from tests.deploy.policy import OF_MANIFESTS, RULES, Rule
from tests.deploy.policy.exact import EXACT
from tests.deploy.policy.objects import Cluster
from tests.deploy.policy.schema import RULES as SCHEMA

TABLE = Path(__file__).with_name("harmless.yaml")


class Verdict(NamedTuple):
    """What came of one mutant."""

    mutant: Mutant
    rule: str  # that found it; "" if none did
    because: str  # why it is harmless; "" if it was found, or if nobody knows


class Reason(NamedTuple):
    """A row of the table: which mutants, by regular expressions, and why they harm nobody."""

    operator: str
    where: str
    after: str
    because: str

    def fits(self, mutant: Mutant) -> bool:
        """Whether it is about this mutant."""
        pairs = ((self.operator, mutant.operator), (self.where, mutant.where), (self.after, mutant.what))
        return all(re.search(pattern, text) for pattern, text in pairs)


def reasons(path: Path = TABLE) -> list[Reason]:
    """The table of harmless mutations."""
    rows: Iterable[Mapping[str, Any]] = yaml.safe_load(path.read_text("utf-8"))
    return [
        Reason(row.get("operator", ""), row["where"], row.get("what", ""), row["because"]) for row in rows
    ]


def rules_for(subject: str) -> Mapping[str, Rule]:
    """The rules of the manifests, or of the chart, and those that what is shipped keeps."""
    return {**(RULES if subject.startswith("chart") else OF_MANIFESTS), **EXACT}


def finder(objects: Objects, rules: Mapping[str, Rule]) -> str:
    """The first rule that finds something; the schemas are asked last, since they take longest.

    An exception counts too, as it fails the tests; its rule's name then ends with its type.
    """
    cluster = Cluster(objects)
    broken = ""
    for name, rule in (
        *((name, rule) for name, rule in rules.items() if name not in SCHEMA),
        *SCHEMA.items(),
    ):
        try:
            if next(iter(rule(cluster)), None):
                return name
        except Exception as error:
            broken = broken or f"{name} ({type(error).__name__})"
    return broken


def judged(
    subjects: Mapping[str, Objects], found: Sequence[Mutant], table: Sequence[Reason]
) -> Iterator[Verdict]:
    """Each mutant with what came of it."""
    for mutant in found:
        rule = finder(mutant.applied(subjects[mutant.subject]), rules_for(mutant.subject))
        because = "" if rule else next((row.because for row in table if row.fits(mutant)), "")
        yield Verdict(mutant, rule, because)


def share_known(verdicts: Sequence[Verdict]) -> float:
    """The part of the mutants that a rule finds, or of which the table says why they are harmless."""
    return sum(bool(each.rule or each.because) for each in verdicts) / len(verdicts)
