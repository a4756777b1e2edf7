"""Write the definitions of experiment/report/method.py into docs/numbers.md: -m tools.definitions_table"""

from __future__ import annotations

import re
from pathlib import Path

from experiment.report.method import DEFINITIONS, VALIDITY

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "numbers.md"
START = "<!-- definitions: checked against experiment/report/method.py by tests/project/test_docs.py -->\n"
END = "<!-- end of definitions -->"


def table() -> str:
    """The definitions as a Markdown table."""
    rows = [("term", "meaning"), ("---", "---"), *DEFINITIONS.items(), *VALIDITY.items()]
    return "".join(f"| {term} | {text} |\n" for term, text in rows)


def main() -> None:
    """Replace the table in the document."""
    text = DOCUMENT.read_text("utf-8")
    pattern = re.escape(START) + ".*?" + re.escape(END)
    DOCUMENT.write_text(re.sub(pattern, lambda _: START + table() + END, text, flags=re.DOTALL), "utf-8")


if __name__ == "__main__":
    main()
