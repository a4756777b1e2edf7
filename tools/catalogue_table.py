"""Write the catalogue of models/catalogue/table.py into docs/models.md: python -m tools.catalogue_table"""

from __future__ import annotations

import re
from pathlib import Path

from models.catalogue.table import CATALOGUE, DEFAULT
from models.commands.list_models import COLUMNS, cells

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "models.md"
START = "<!-- catalogue: checked against models/catalogue/table.py by tests/project/test_docs.py -->\n"
END = "<!-- end of catalogue -->"


def table() -> str:
    """The catalogue as a Markdown table."""
    heads = COLUMNS[:-1]
    lines = [" | ".join(heads), " | ".join("---" for _ in heads)]
    for row in CATALOGUE:
        name, title, *numbers = cells(row)
        shown = f"{title} (default)" if row.name == DEFAULT else title
        lines.append(" | ".join([f"`{name}`", shown, *numbers]))
    return "".join(f"| {line} |\n" for line in lines)


def main() -> None:
    """Replace the table in the document."""
    text = DOCUMENT.read_text("utf-8")
    pattern = re.escape(START) + ".*?" + re.escape(END)
    DOCUMENT.write_text(re.sub(pattern, lambda _: START + table() + END, text, flags=re.DOTALL), "utf-8")


if __name__ == "__main__":
    main()
