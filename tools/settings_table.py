"""Write the settings of webapp/config.py into README.md: python -m tools.settings_table"""

from __future__ import annotations

import re
from pathlib import Path

from webapp.config import Row, rows

README = Path(__file__).resolve().parent.parent / "README.md"
START = "<!-- settings: checked against webapp/config.py by tests/project/test_docs.py -->\n"
END = "<!-- end of settings -->"


def table() -> str:
    """The settings as a Markdown table."""
    lines = ["| setting | default | what it does |", "| --- | --- | --- |", *map(_line, rows())]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    default = (
        f"{row.default:,}".replace(",", " ")
        if isinstance(row.default, int) and row.default > 9999
        else row.default
    )
    default = row.default if row.key == "PORT" else default
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    return f"| `{row.key}` | {' '.join(filter(None, [shown, row.unit])) or 'empty'} | {row.help} |"


def main() -> None:
    """Replace the table in README.md."""
    text = README.read_text("utf-8")
    pattern = re.escape(START) + ".*?" + re.escape(END)
    README.write_text(re.sub(pattern, lambda _: START + table() + END, text, flags=re.DOTALL), "utf-8")


if __name__ == "__main__":
    main()
