"""predict() through the HTTP front end: POST /predict as Cluster Serving has it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np

from experiment.errors import PixelcostError
from experiment.queue.connection import QueueUnavailable
from experiment.queue.submit import NO_WORKER_S, QueueFull
from experiment.wording import one_line
from jobs.wire.arrow import Value

MOST_BYTES = 64 * 1024 * 1024


def instances(inputs: Mapping[str, Value]) -> str:
    """The body of a request: numbers as lists, images in base64."""
    return json.dumps({"instances": [{name: _as_json(value) for name, value in inputs.items()}]})


def ask(frontend_url: str, body: str | bytes, timeout_s: float) -> np.ndarray | str:
    """The array in the front end's answer; "NaN" if it says so of a job that failed.

    Raises TimeoutError, QueueFull, QueueUnavailable, and PixelcostError with the front end's own words.
    """
    url = frontend_url.rstrip("/") + "/predict"
    data = body if isinstance(body, bytes) else body.encode()
    request = Request(url, data, {"Content-Type": "application/json"}, method="POST")  # noqa: S310
    try:
        with urlopen(request, timeout=max(timeout_s, 0.001)) as answer:  # noqa: S310  is_http() has checked it
            return result_of(answer.read(MOST_BYTES))
    except HTTPError as error:
        with error:
            raise _refused(error, url) from None
    except TimeoutError:
        raise
    except (URLError, HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise TimeoutError from None
        raise QueueUnavailable(
            f"No answer from the front end at {url} ({one_line(str(reason), 150)}). Is it running?"
        ) from None


def result_of(body: bytes) -> np.ndarray | str:
    """The result in {"predictions": ["{\\"value\\": ...}"]}: each front end of Cluster Serving wrapped it in
    text in another way, {value=...} or JSON; in there are `data` and `shape`. Raises PixelcostError."""
    try:
        found: Any = json.loads(body)["predictions"][0]
        for _ in range(4):
            if isinstance(found, str):
                text = found.strip()
                if text.startswith("{value=") and text.endswith("}"):
                    text = text.removeprefix("{value=").removesuffix("}")
                if text == "NaN":
                    return text
                found = json.loads(text)
            elif isinstance(found, Mapping) and "value" in found:
                found = found["value"]
            else:
                break
        if isinstance(found, Mapping):
            return np.array(found["data"]).reshape(found["shape"])
        return np.array(found)
    except (ValueError, LookupError, TypeError, RecursionError):
        shown = one_line(body[:300].decode("utf-8", "replace"), 150)
        raise PixelcostError(
            f"The front end answered what can't be read: {shown}", "bad_answer", 502
        ) from None


def _as_json(value: Value) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value.tolist() if isinstance(value, np.ndarray) else value


def _refused(error: HTTPError, url: str) -> PixelcostError:
    try:
        words = _message(json.loads(error.read(10_000)))
    except (ValueError, OSError, HTTPException):
        words = ""
    sentence = words or f"The front end at {url} answered HTTP {error.code}."
    if error.code == 429:
        wait = error.headers.get("Retry-After") or ""
        return QueueFull(sentence, int(wait) if wait.isdigit() else NO_WORKER_S)
    if error.code in {502, 503, 504}:
        return QueueUnavailable(sentence)
    return PixelcostError(sentence, "front_end", error.code)


def _message(answer: Any) -> str:
    """The sentence in an error's body, under the names that front ends use."""
    if not isinstance(answer, Mapping):
        return ""
    found = next((answer[key] for key in ("detail", "message", "error") if answer.get(key)), "")
    return _message(found) if isinstance(found, Mapping) else one_line(str(found), 300)
