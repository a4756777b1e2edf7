"""Mistakes that nobody thought of: the rules find them, or a table says why they are harmless."""

from __future__ import annotations

from random import Random

import pytest

from tests.deploy.generated.mutants import Mutant, chosen, mutants
from tests.deploy.generated.operators import GONE, OPERATORS
from tests.deploy.generated.places import Objects
from tests.deploy.generated.score import finder, judged, reasons, rules_for, share_known
from tests.deploy.generated.subjects import subjects
from tests.deploy.policy import problems
from tests.support.deploy.cluster_programs import HOW_TO_GET_THEM, KUBECTL, find, helms

SMALL: Objects = [
    {"kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": name}, "port": 8500}}
    for name in ("one", "two")
]


@pytest.fixture(scope="module")
def shipped() -> dict[str, Objects]:
    if not (find(KUBECTL) and helms()):
        pytest.skip(HOW_TO_GET_THEM)
    return subjects()


def changes(operator: str) -> list[Mutant]:
    return [each for each in mutants("small", SMALL, Random(1)) if each.operator == operator]


def test_what_is_shipped_breaks_no_rule(shipped: dict[str, Objects]) -> None:
    assert {name: found for name, each in shipped.items() if (found := problems(each, rules_for(name)))} == {}


def test_of_500_generated_mistakes_95_percent_are_found_or_known_to_be_harmless(shipped) -> None:
    verdicts = list(judged(shipped, chosen(shipped, 500, seed=1), reasons()))
    neither = [each.mutant.what for each in verdicts if not each.rule and not each.because]
    assert len(verdicts) == 500
    assert share_known(verdicts) >= 0.95, "\n".join(neither)
    assert sum(bool(each.rule) for each in verdicts) >= 0.9 * 500


def test_the_same_seed_makes_the_same_mistakes_and_none_twice() -> None:
    once, again = ([each.what for each in chosen({"a": SMALL, "b": SMALL}, 40, seed=5)] for _ in range(2))
    assert once == again
    assert len(set(once)) == len(once) == 40


def test_a_mistake_is_made_in_a_copy_and_in_one_place() -> None:
    for each in mutants("small", SMALL, Random(1)):
        made = each.applied(SMALL)
        assert [i for i, (old, new) in enumerate(zip(SMALL, made, strict=True)) if old != new] == list(
            each.numbers
        )


def test_a_mistake_is_also_made_in_all_objects_that_have_the_same_there() -> None:
    alike = [each for each in changes("by ten") if len(each.numbers) > 1]
    assert {each.after for each in alike} == {85000, 850}
    assert alike[0].applied(SMALL)[1]["spec"]["port"] == alike[0].after


def test_operators_change_what_their_names_say() -> None:
    assert {(each.where, each.after) for each in changes("value of another")} >= {
        ("Service/one metadata.name", "two")
    }
    assert {} in [each.after for each in changes("widen")]
    assert all(each.after is GONE for each in changes("remove"))
    assert OPERATORS.keys() >= {each.operator for each in mutants("small", SMALL, Random(1))}


def test_a_rule_that_fails_on_a_mistake_is_told_from_one_that_finds_it() -> None:
    def stumbles(_cluster):
        raise KeyError("name")
        yield

    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}
    assert finder([namespace], {}) == ""
    assert finder([namespace], {"stumbles": stumbles}) == "stumbles (KeyError)"


def test_every_reason_says_something_and_none_is_for_every_mistake() -> None:
    for row in reasons():
        assert row.because.endswith(".")
        assert row.where
        assert not all(row.fits(each) for each in mutants("small", SMALL, Random(1)))
