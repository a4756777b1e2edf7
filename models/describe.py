"""Says what a path holds, and whether Pixelcost can use it as it is."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.check import SIGNATURE, look_into
from models.kinds import Found
from models.placing import CARD
from models.tensors import Signature
from models.trial import runtimes_for, served


@dataclass(frozen=True)
class Description:
    """Lines for people, and why it can't be used; no reason when it can."""

    lines: Sequence[str]
    problems: Sequence[str] = ()


def describe(found: Found) -> Description:
    """Raises ModelProblem for what is damaged, or needs a package to be looked into."""
    if found.kind.name == "SavedModel":
        contents = look_into(found.path)
        return Description(contents.lines(), contents.problems())
    head = f"{found.path}: {found.kind.name}, {found.size_bytes / 1e6:.1f} MB"
    if found.kind.way_on:
        return Description([head], [found.kind.way_on])
    signatures = _asked(found) if found.kind.runtimes else _loaded(found)
    lines = [head, *(f"  {each}" for each in signatures)]
    if any(each.name == SIGNATURE for each in signatures):
        return Description(lines)
    return Description(lines, [f"It has no signature {SIGNATURE!r} that takes encoded images."])


def _asked(found: Found) -> Sequence[Signature]:
    """What the model server makes of the files, with the card that lies beside them if there is one."""
    from models.convert.as_it_is import copy_files

    with tempfile.TemporaryDirectory(prefix="check-") as scratch:
        version = Path(scratch) / "1"
        copy_files(found, version)
        card = found.path.parent / CARD
        if card.is_file():
            (version / CARD).parent.mkdir()
            shutil.copyfile(card, version / CARD)
        with served(Path(scratch), runtimes_for(found)[0]) as server:
            return server.signatures()


def _loaded(found: Found) -> Sequence[Signature]:
    from models.convert.as_graph import LOAD
    from models.convert.wanted import Wanted

    return LOAD[found.kind.name](found, Wanted()).signatures
