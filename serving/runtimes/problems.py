"""What the libraries of the runtimes raise, in the words of this server."""

from __future__ import annotations

import re
from pathlib import Path

from common.words import first_line
from serving.errors import InvalidArgument, LoadFailed, Overloaded, ServingError

NO_REASON = "the library gave no reason"
# The libraries have no error types that tell a wrong input from a failure of their own.
ABOUT_THE_INPUT = re.compile(
    r"shapes?\b|sizes?\b|dimensions?\b|\bdims?\b|\brank\b|\bd?types?\b|channels\b|\bax[ie]s\b|broadcast",
    re.IGNORECASE,
)
OUT_OF_MEMORY = re.compile(r"out of memory|failed to allocate memory|can't allocate memory", re.IGNORECASE)


def load_failed(file: Path, library: str, problem: Exception | str, advice: str) -> LoadFailed:
    """A file that a library does not take; `advice` is the next step, a sentence."""
    return LoadFailed(
        f"{file} can't be loaded with {library}: {first_line(str(problem), NO_REASON)} {advice}"
    )


def run_failed(library: str, problem: Exception | str) -> ServingError:
    """One run of a model that raised."""
    line = f"{library}: {first_line(str(problem), NO_REASON)}"
    if isinstance(problem, MemoryError) or OUT_OF_MEMORY.search(line):
        return Overloaded(f"{line} There is not enough memory for this input.")
    return InvalidArgument(line) if ABOUT_THE_INPUT.search(line) else ServingError(line)


def contents(directory: Path) -> str:
    """The first few names in a directory, for messages."""
    names = sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else []
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "nothing"
