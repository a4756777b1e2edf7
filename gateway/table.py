"""The nouns of the route table. Routes, /openapi.json and /docs come from the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Schema = Mapping[str, Any]
JSON: Final = "application/json"
# Without a token: what probes need, and the documentation, where a browser's user can enter one.
OPEN: Final = {"/healthz", "/readyz", "/", "/docs", "/openapi.json"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something that a request may have in its query or head; parts of the path are in the path."""

    name: str
    description: str
    schema: Schema = field(default_factory=lambda: {"type": "string"})
    where: Literal["query", "header"] = "query"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a status means, and what is sent with it."""

    description: str
    schema: Schema | None = None  # None: no body, or one that is no JSON
    media_type: str | None = JSON  # None: no body
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One row: an address, the function that answers it, and what its documentation says."""

    method: str
    path: str  # as Flask writes it: /jobs/<job:job_id>
    view: Callable[..., Any]
    tag: str
    summary: str
    answers: Mapping[int, Answer]
    problems: tuple[int, ...] = ()  # further statuses, with application/problem+json
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Mapping[str, Schema] = field(default_factory=dict)  # by media type
    needs_body: bool = True
