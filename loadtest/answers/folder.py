"""AnswerFolder: each answer in files of its own as soon as it is known, and all of them on one page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiment.codec import csv_field
from loadtest.answers.answer import Answer
from loadtest.answers.page import answers_html
from loadtest.errors import LoadRefused


class AnswerFolder:
    """`answers.json`, `answers.html`, and for each answer `<key>.csv` and `<key>.plotly.json`."""

    def __init__(self, path: Path, title: str, about: Mapping[str, Any]):
        """`path` is a folder made for this run; `about` says what all answers are about."""
        self.path, self._title, self._about = path, title, dict(about)
        self._answers: list[Answer] = []

    def add(self, answer: Answer) -> None:
        """Keep an answer, and write all files that tell of it. Raises LoadRefused if the disk is full."""
        self._answers.append(answer)
        figure = json.dumps({"data": answer.figure["data"], "layout": answer.figure["layout"]})
        self.write(f"{answer.key}.plotly.json", figure)
        self.write(f"{answer.key}.csv", _csv(answer))
        rows = [
            {
                "key": answer.key,
                "question": answer.question,
                "sentence": answer.sentence,
                "notes": answer.notes,
                "facts": answer.facts,
                "measured": answer.measured,
                "table": answer.figure["meta"]["table"],
            }
            for answer in self._answers
        ]
        whole = {"title": self._title, **self._about, "answers": rows}
        self.write("answers.json", json.dumps(whole, indent=1, ensure_ascii=False, default=str) + "\n")
        self.write("answers.html", answers_html(self._title, self._about, self._answers))

    def write(self, name: str, text: str) -> None:
        """Write a file beside the answers. Raises LoadRefused."""
        try:
            (self.path / name).write_text(text, "utf-8")
        except OSError as error:
            raise LoadRefused(
                f"{self.path / name} can't be written: {error.strerror}. What is in the folder is kept."
            ) from None


def _csv(answer: Answer) -> str:
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(answer.columns)
    table.writerows([csv_field(value) for value in row] for row in answer.rows)
    return written.getvalue()
