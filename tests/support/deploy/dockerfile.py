"""A Dockerfile as data: its stages and their instructions, arguments filled in."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PATH = ROOT / "Dockerfile"
API_PATH = ROOT / "docker" / "dockerfile"  # of the image `api`, where the earlier demo had its own
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")


@dataclass
class Stage:
    """One `FROM`. `instructions` are (keyword, rest of the line) in order, as written."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, keyword: str) -> list[str]:
        """The rest of each line that begins with `keyword`."""
        return [rest for each, rest in self.instructions if each == keyword]

    def last(self, keyword: str) -> str:
        """The rest of the last such line: the one that counts."""
        return self.all(keyword)[-1]

    def command(self, keyword: str) -> list[str]:
        """The exec form of CMD, ENTRYPOINT, or of what HEALTHCHECK runs; empty where there is none."""
        found = [rest for rest in self.all(keyword) if "[" in rest]
        parsed: list[str] = json.loads(found[-1][found[-1].index("[") :]) if found else []
        return parsed

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Its ENV lines above the variables of the base image."""
        values = dict(base)
        for rest in self.all("ENV"):
            values |= {key: filled(value, values) for key, value in pairs(rest).items()}
        return values


def read_stages(path: Path = PATH) -> dict[str, Stage]:
    """Every stage by name."""
    stages: dict[str, Stage] = {}
    arguments: dict[str, str] = {}
    for keyword, rest in _instructions(path.read_text("utf-8")):
        if keyword == "FROM":
            base, _, name = rest.partition(" AS ")
            stages[name] = Stage(name, filled(base, arguments))
        elif stages:
            list(stages.values())[-1].instructions.append((keyword, rest))
        else:
            arguments |= pairs(rest)
    return stages


def all_stages() -> dict[str, Stage]:
    """The stages of both files."""
    return {**read_stages(API_PATH), **read_stages()}


def pairs(text: str) -> dict[str, str]:
    """`A=1 B="two words"` as a dictionary; a name without a value is left out."""
    return dict(part.split("=", 1) for part in shlex.split(text) if "=" in part)  # type: ignore[misc]


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with $NAME and ${NAME} replaced; an unknown name becomes empty, as Docker has it."""
    return _VARIABLE.sub(lambda match: values.get(match[1] or match[2], ""), text)


def _instructions(text: str) -> list[tuple[str, str]]:
    without_comments = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    lines = without_comments.replace("\\\n", "").splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]
