"""Write notebooks/*.ipynb from the percent scripts beside them: python -m tools.notebooks

The scripts are the source: they can be reviewed and merged. A notebook holds the same cells, and no outputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jupytext
import nbformat

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"


def notebooks() -> Iterator[tuple[Path, str]]:
    """Every notebook, and what it must hold."""
    for script in sorted(FOLDER.glob("*.py")):
        notebook = jupytext.read(script)
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{number}"  # jupytext's are random, so every writing would differ
        notebook.metadata = {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        yield script.with_suffix(".ipynb"), nbformat.writes(notebook) + "\n"


if __name__ == "__main__":
    for path, text in notebooks():
        path.write_text(text, "utf-8")
