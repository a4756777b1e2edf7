"""What a model's files say about its task before it is loaded: notes, files beside it, its operators."""

from __future__ import annotations

from models.formats.exporter_notes import notes_of, other_task
from models.formats.files_beside import task_beside
from models.formats.kinds import Found
from models.formats.operators import task_by_operators


def stated_task(found: Found) -> str:
    """One sentence if the files say that the model is not a classifier; empty if they don't."""
    return other_task(notes_of(found)) or task_beside(found) or task_by_operators(found)
