"""`check`: say what kind of model a file or folder holds, and whether Pixelcost can use it."""

from __future__ import annotations

import argparse
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from common.installed import as_typed
from models.convert import cluster_serving
from models.convert.as_it_is import copy_files
from models.convert.proof import SAMPLE, why_no_probabilities
from models.formats.kinds import CLUSTER_SERVING, Found, find
from models.formats.other_tasks import stated_task
from models.formats.saved_model_reader import SIGNATURE, look_into
from models.interface.wanted import Wanted
from models.placing import CARD
from models.problems import without_scratch
from models.task import other_than_classifier
from models.tensors import Signature
from models.trial import NotServed, Server, runtimes_for, served


class Description(NamedTuple):
    """Lines about a model, and why Pixelcost can't use it: empty if it can."""

    lines: Sequence[str]
    problem: str
    can_be_converted: bool = False  # so that Pixelcost can use it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the path of the model."""
    parser.add_argument("path", type=Path, help="a model's file or folder")


def run(options: argparse.Namespace) -> int:
    """Print a description. Returns 0 if Pixelcost can use the model, 1 if it can't send images to it."""
    found = find(options.path)
    if found.kind.name == CLUSTER_SERVING:
        found = find(cluster_serving.read(options.path, print).model)
    lines, problem, can_be_converted = describe(found)
    verdict = ["Pixelcost can't use it as it is:", problem] if problem else ["Pixelcost can use it."]
    if can_be_converted:
        command = ["convert", str(options.path), "--out", f"var/models/{found.name}"]
        verdict.append(as_typed(f"Convert it: .venv/bin/python -m models {shlex.join(command)}"))
    print("\n".join([*lines, *found.remarks, *verdict]))
    return 1 if problem else 0


def describe(found: Found) -> Description:
    """Raises ModelProblem for a damaged model, and if a package that reads it is not installed."""
    if found.kind.name == "SavedModel":
        return _of_saved_model(found)
    lines = [f"{found.path}: {found.kind.name}, {found.size_bytes / 1e6:.1f} MB"]
    if reason := found.kind.way_on or stated_task(found):
        return Description(lines, reason)
    if found.kind.runtimes:
        with _server_of(found) as server:
            signatures: Sequence[Signature] = server.signatures()
            lines += [f"  {signature}" for signature in signatures]
            if any(signature.name == SIGNATURE for signature in signatures):
                return Description(lines, _odd_answer(server))
    else:
        from models.convert.as_graph import LOAD  # imports TensorFlow

        signatures = LOAD[found.kind.name](found, Wanted()).signatures
        lines += [f"  {signature}" for signature in signatures]
    others = [other_than_classifier(signature) for signature in signatures]
    if others and all(others):
        return Description(lines, others[0])
    problem = f"It has no signature {SIGNATURE!r} that takes encoded images."
    return Description(lines, problem, can_be_converted=True)


def _of_saved_model(found: Found) -> Description:
    contents = look_into(found.path)
    if other := contents.other_task() or stated_task(found):
        return Description(contents.lines(), other)
    if problems := contents.problems():
        return Description(contents.lines(), "\n".join(problems), can_be_converted=True)
    with _server_of(found) as server:
        return Description(contents.lines(), _odd_answer(server))


def _odd_answer(server: Server) -> str:
    """Why the server's answer to the sample photo is not a classifier's; empty if it is."""
    try:
        return why_no_probabilities(server.classify(SAMPLE.read_bytes())[1])
    except NotServed as problem:
        return f"It does not answer to {SAMPLE.name}: {problem}"


@contextmanager
def _server_of(found: Found) -> Iterator[Server]:
    """The model server with the model's files, and with the card in their folder if it has one."""
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
