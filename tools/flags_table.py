"""Writes the tables of the model server's flags into docs/serving.md: python -m tools.flags_table"""

from __future__ import annotations

from pathlib import Path

from serving.config.flags import FLAGS, THEIRS, WITHOUT_EFFECT

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "serving.md"
START = "<!-- flags: written by tools/flags_table.py, checked by tests/project/test_docs.py -->\n"
END = "<!-- end of flags -->\n"


def tables() -> str:
    """Three Markdown tables: TensorFlow Serving's flags, ours, and those without effect."""
    ours = {name: text for name, text in FLAGS.items() if name not in THEIRS}
    return "\n".join(
        [
            _table("TensorFlow Serving's flag", "what it does (default)", THEIRS),
            _table("our flag", "what it does (default)", ours),
            _table("taken without effect", "because", WITHOUT_EFFECT),
        ]
    )


def _table(name: str, meaning: str, rows: dict[str, str]) -> str:
    lines = [f"| {name} | {meaning} |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| `{flag}` | {text} |" for flag, text in rows.items())]) + "\n"


def main() -> None:
    text = DOCUMENT.read_text("utf-8")
    head, rest = text.split(START)
    tail = rest.split(END)[1]
    DOCUMENT.write_text(head + START + tables() + END + tail, "utf-8")


if __name__ == "__main__":
    main()
