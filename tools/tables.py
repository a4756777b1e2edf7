"""Write the tables of docs/ that the code decides: python -m tools.tables

Each stands between <!-- NAME: ... --> and <!-- end of NAME -->; tests/project/test_docs.py checks them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path

from experiment.report.method import DEFINITIONS, VALIDITY
from gateway.config import Settings
from loadtest.results.load_json import SCHEMA
from models.catalogue.table import CATALOGUE, DEFAULT
from models.commands.list_models import COLUMNS, cells
from serving.config.flags import FLAGS, THEIRS, WITHOUT_EFFECT
from tools import chart_values
from webapp.config import Row, rows

DOCS = Path(__file__).resolve().parent.parent / "docs"


def settings() -> str:
    """The settings of webapp/config.py."""
    return _table(("setting", "default", "what it does"), map(_setting, rows()))


def _setting(row: Row) -> tuple[str, str, str]:
    default = row.default
    if isinstance(default, float):
        default = f"{default:g}"
    elif isinstance(default, int) and default > 9999 and row.key != "PORT":
        default = f"{default:,}".replace(",", " ")
    return f"`{row.key}`", " ".join(filter(None, [str(default), row.unit])) or "empty", row.help


def gateway_settings() -> str:
    """The settings of gateway/config.py."""
    lines = [(field.metadata, field.default, field.name) for field in fields(Settings)]
    rows = [(Row(data["key"], default, data["unit"], data["help"]), name) for data, default, name in lines]
    heads = ("setting", "default", "what it does", "option")
    return _table(heads, ((*_setting(row), f"`--{name}`") for row, name in rows))


def flags() -> str:
    """The model server's flags: TensorFlow Serving's, ours, and those without effect."""
    theirs = ((f"`{name}`", text) for name, text in THEIRS.items())
    ours = ((f"`{name}`", text) for name, text in FLAGS.items() if name not in THEIRS)
    without = ((f"`{name}`", reason) for name, reason in WITHOUT_EFFECT.items())
    return "\n".join(
        [
            _table(("TensorFlow Serving's flag", "what it does (default)"), theirs),
            _table(("our flag", "what it does (default)"), ours),
            _table(("taken without effect", "because"), without),
        ]
    )


def catalogue() -> str:
    """The models of models/catalogue/table.py."""
    lines = []
    for row in CATALOGUE:
        name, title, *numbers = cells(row)
        lines.append((f"`{name}`", f"{title} (default)" if row.name == DEFAULT else title, *numbers))
    return _table(COLUMNS[:-1], lines)


def definitions() -> str:
    """The terms of experiment/report/method.py."""
    return _table(("term", "meaning"), [*DEFINITIONS.items(), *VALIDITY.items()])


def load_keys() -> str:
    """The keys of load.json and of its parts, by its schema."""
    parts = SCHEMA["$defs"]
    listed = {"": SCHEMA, **{f"{name}.": parts[name] for name in ("summary", "generator")}}
    listed["requests[]."] = parts["request"]
    lines = [
        (f"`{place}{key}`", row["description"])
        for place, part in listed.items()
        for key, row in part["properties"].items()
    ]
    return _table(("key", "what it is"), lines)


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    return "".join(f"| {' | '.join(line)} |\n" for line in (heads, ["---"] * len(heads), *lines))


TABLES: Mapping[str, tuple[Path, Callable[[], str]]] = {
    "settings": (DOCS / "settings.md", settings),
    "gateway settings": (DOCS / "gateway.md", gateway_settings),
    "flags": (DOCS / "serving.md", flags),
    "catalogue": (DOCS / "models.md", catalogue),
    "definitions": (DOCS / "numbers.md", definitions),
    "load keys": (DOCS / "load-files.md", load_keys),
    "chart values": (chart_values.CHART / "README.md", chart_values.values),
    **{
        f"keys of {name}": (chart_values.CHART / "README.md", partial(chart_values.keys, part))
        for name, part in chart_values.PARTS.items()
    },
}


def renewed(page: str, name: str) -> str:
    """The page with that table as the code has it. Raises ValueError where the page has no place for it."""
    start, found, rest = re.split(rf"(<!-- {name}: [^\n]*-->\n)", page, maxsplit=1)
    return start + found + TABLES[name][1]() + rest[rest.index(f"<!-- end of {name} -->") :]


def main() -> None:
    """Renew every page."""
    for name, (path, _) in TABLES.items():
        path.write_text(renewed(path.read_text("utf-8"), name), "utf-8")


if __name__ == "__main__":
    main()
