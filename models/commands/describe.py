"""Says what a path holds, and whether Pixelcost can use it as it is."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.convert.proof import SAMPLE, why_no_probabilities
from models.formats.exporter_notes import notes_of, other_task
from models.formats.kinds import Found
from models.formats.saved_model import SIGNATURE, look_into
from models.placing import CARD
from models.problems import without_scratch
from models.task import other_than_classifier
from models.tensors import Signature
from models.trial import NotServed, Server, runtimes_for, served


@dataclass(frozen=True)
class Description:
    """Lines for people, and why it can't be used; no reason when it can."""

    lines: Sequence[str]
    problems: Sequence[str] = ()
    is_convertible: bool = True  # where there are problems


def describe(found: Found) -> Description:
    """Raises ModelProblem for what is damaged, or needs a package to be looked into."""
    if found.kind.name == "SavedModel":
        return _of_saved_model(found)
    head = f"{found.path}: {found.kind.name}, {found.size_bytes / 1e6:.1f} MB"
    if found.kind.way_on:
        return Description([head], [found.kind.way_on], is_convertible=False)
    if other := other_task(notes_of(found)):
        return Description([head], [other], is_convertible=False)
    if not found.kind.runtimes:
        return _of_signatures(head, _loaded(found))
    with _served(found) as server:
        return _of_signatures(head, server.signatures(), server)


def _of_saved_model(found: Found) -> Description:
    contents = look_into(found.path)
    if other := other_task(notes_of(found)) or contents.other_task():
        return Description(contents.lines(), [other], is_convertible=False)
    if problems := contents.problems():
        return Description(contents.lines(), problems)
    with _served(found) as server:
        return Description(contents.lines(), list(_odd_answers(server)), is_convertible=False)


def _of_signatures(head: str, signatures: Sequence[Signature], server: Server | None = None) -> Description:
    lines = [head, *(f"  {each}" for each in signatures)]
    if server and any(each.name == SIGNATURE for each in signatures):
        return Description(lines, list(_odd_answers(server)), is_convertible=False)
    others = [other_than_classifier(each) for each in signatures]
    if others and all(others):
        return Description(lines, [others[0]], is_convertible=False)
    return Description(lines, [f"It has no signature {SIGNATURE!r} that takes encoded images."])


def _odd_answers(server: Server) -> Iterator[str]:
    """Why its answer to the sample photo is no classifier's; nothing where it is one."""
    try:
        odd = why_no_probabilities(server.classify(SAMPLE.read_bytes())[1])
    except NotServed as problem:
        odd = f"It does not answer to {SAMPLE.name}: {problem}"
    if odd:
        yield odd


@contextmanager
def _served(found: Found) -> Iterator[Server]:
    """The model server with the files, and with the card that lies beside them if there is one."""
    from models.convert.as_it_is import copy_files

    with tempfile.TemporaryDirectory(prefix="check-") as scratch:
        version = Path(scratch) / "1"
        if found.path.is_dir():
            version.symlink_to(found.path.resolve())
        else:
            copy_files(found, version)
            card = found.path.parent / CARD
            if card.is_file():
                (version / CARD).parent.mkdir()
                shutil.copyfile(card, version / CARD)
        try:
            with served(Path(scratch), runtimes_for(found)[0]) as server:
                yield server
        except NotServed as problem:
            names = {version / found.kind.stored_as: str(found.path), version: str(found.path.parent)}
            raise without_scratch(problem, names) from problem


def _loaded(found: Found) -> Sequence[Signature]:
    from models.convert.as_graph import LOAD
    from models.interface.wanted import Wanted

    return LOAD[found.kind.name](found, Wanted()).signatures
