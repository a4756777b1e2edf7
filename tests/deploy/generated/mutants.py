"""All changes of some objects, and a choice among them that is the same each time."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from tests.deploy.generated.operators import GONE, OPERATORS
from tests.deploy.generated.places import Objects, Place, at, has, places

TRIVIAL = {"apiVersion", "kind"}  # without them it is no object, which any tool says


class Mutant(NamedTuple):
    """One change: where, by which operator, and what stands there afterwards."""

    subject: str
    operator: str
    where: str  # "Deployment/image-resizer spec.replicas"
    numbers: tuple[int, ...]  # the objects that are changed: one, or all alike
    place: Place
    after: Any

    @property
    def what(self) -> str:
        """The change in words, the same for two mutants only if they are the same."""
        after = "gone" if self.after is GONE else repr(self.after)
        alike = f", in {len(self.numbers)} objects alike" if len(self.numbers) > 1 else ""
        return f"{self.operator}: {self.where} = {str(self.place.value)[:60]} -> {after[:90]}{alike}"

    def applied(self, objects: Objects) -> Objects:
        """A copy of the objects with the change made; those that do not change are shared."""
        made = list(objects)
        for number in self.numbers:
            made[number] = copy.deepcopy(objects[number])
            *before, last = self.place.path
            holder = at(made[number], tuple(before))
            if self.after is GONE:
                del holder[last]
            else:
                holder[last] = copy.deepcopy(self.after)
        return made


def mutants(subject: str, objects: Objects, rng: Random) -> Iterator[Mutant]:
    """Every change of every place, in one object and, where others have the same there, in all of them."""
    for number, found in enumerate(objects):
        kind = found["kind"]
        same_kind = [i for i, each in enumerate(objects) if each["kind"] == kind and i != number]
        for place in places(found):
            if place.path[-1] in TRIVIAL and len(place.path) == 1:
                continue
            where = f"{kind}/{found['metadata']['name']} {place.text}"
            alike = (number, *(i for i in same_kind if has(objects[i], place.path, place.value)))
            for operator, change in OPERATORS.items():
                for after in change(kind, place, found, [objects[i] for i in same_kind], rng):
                    if after == place.value:
                        continue
                    yield Mutant(subject, operator, where, (number,), place, after)
                    if len(alike) > 1 and number == min(alike):
                        yield Mutant(subject, operator, where, alike, place, after)


def chosen(subjects: Mapping[str, Objects], count: int, seed: int) -> list[Mutant]:
    """So many of all mutants, in turns from every operator; none twice, though subjects share objects."""
    rng = Random(seed)
    pools: dict[str, dict[str, Mutant]] = {name: {} for name in OPERATORS}
    for subject, objects in subjects.items():
        for each in mutants(subject, objects, rng):
            pools[each.operator].setdefault(each.what, each)
    return _in_turns([_shuffled(list(pool.values()), rng) for pool in pools.values()], count)


def _shuffled(pool: list[Mutant], rng: Random) -> list[Mutant]:
    rng.shuffle(pool)
    return pool


def _in_turns(pools: Sequence[list[Mutant]], count: int) -> list[Mutant]:
    taken: list[Mutant] = []
    while len(taken) < count and any(pools):
        taken += [pool.pop() for pool in pools if pool]
    return taken[:count]
