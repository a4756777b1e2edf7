"""TensorFlow Serving over REST: POST /v1/models/<model>:predict with base64 in JSON."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import quote

from common import traces
from experiment.backends.answers import bad_answer, distribution, parsed_json, stages, top_labels
from experiment.backends.base import RequestFailed, describe, short_cause, too_late
from experiment.backends.http_connection import Answer, HttpConnection, NotUnderstood
from experiment.backends.replicas import Replicas, Resolver, look_up
from experiment.records import BackendInfo, Prediction, Variant
from experiment.wording import one_line

# Of JSON, enough for 100,000 labels with scores. Parsed, nested lists take twenty times as much memory.
ANSWER_LIMIT_BYTES = 8 * 1024 * 1024
_TITLE = re.compile(r"<title>([^<]+)</title>", re.IGNORECASE)

# HTTP's status -> one of errors.FAILURE_CODES; all others are "server_error".
FAILURES = {
    400: "bad_request",
    404: "not_found",
    413: "too_large",
    429: "overloaded",
    503: "unreachable",
    504: "deadline",
}


def model_path(info: BackendInfo) -> str:
    """The path of the model's status; its name may hold any character."""
    return f"/v1/models/{quote(info.model, safe='')}"


class RestBackend:
    """A kept-alive connection to every replica of a backend. Use it from one thread."""

    def __init__(self, info: BackendInfo, resolve: Resolver = look_up):
        self.info = info
        self._replicas = Replicas(info.address, HttpConnection, resolve)
        self._headers = {"Content-Type": "application/json"}
        # None: each replica's own address
        self._host = info.added_as or (None if "," in info.address else info.address)
        self._path = f"{model_path(info)}:predict"
        self._head = b'{"signature_name": %s, "instances": [{"b64": "' % json.dumps(info.signature).encode()

    def open(self, timeout_s: float) -> None:
        """Connect to every replica that can be reached."""
        self._replicas.open(timeout_s)

    def predict(self, variant: Variant, timeout_s: float) -> Prediction:
        """Send the image as base64, return the top 5. Raises RequestFailed."""
        peer, connection = self._replicas.next()
        body = self._head + base64.b64encode(variant.data) + b'"}]}'
        headers = self._headers | {"Host": self._host or str(peer)}
        if header := traces.outgoing():
            headers[traces.HEADER] = header
        try:
            answer = connection.exchange("POST", self._path, headers, timeout_s, ANSWER_LIMIT_BYTES, body)
        except TimeoutError:
            self._replicas.lost(peer)
            raise too_late(self.info, describe(variant), timeout_s) from None
        except OSError as error:
            self._replicas.lost(peer)
            place = peer or self.info.place
            message = f"No answer from {self.info.name} at {place} ({short_cause(str(error))})."
            raise RequestFailed("unreachable", message) from None
        except NotUnderstood as error:
            raise bad_answer(self.info, f"{error}.") from None
        self._replicas.answered(peer)
        if answer.status != 200:
            raise self._refused(answer, variant)
        return self._prediction(len(body), answer, peer)

    def decode(self, variant: Variant, timeout_s: float) -> Prediction:
        """Not possible: REST has no output filter, so the pixels would come back as text."""
        raise RequestFailed("bad_request", f"{self.info.name} can't time decoding alone: use gRPC for that.")

    def close(self) -> None:
        """Close the kept-alive connections."""
        self._replicas.close()

    def _refused(self, answer: Answer, variant: Variant) -> RequestFailed:
        name, status, text = self.info.name, answer.status, error_text(answer.body)
        if 300 <= status < 400:
            place = one_line(answer.headers.get("Location", "somewhere else"), 100)
            return bad_answer(
                self.info,
                f"HTTP {status}, a redirect to {place}. Redirects are not followed: the photo would go to a "
                "server that is not configured. Set the final address instead.",
            )
        if status < 300:
            return bad_answer(self.info, f"HTTP {status} to {describe(variant)}, without predictions.")
        if status == 413:
            return RequestFailed(
                "too_large", f"A proxy in front of {name} refuses bodies this large: {describe(variant)}."
            )
        code = FAILURES.get(status, "server_error")
        return RequestFailed(code, f"{name} answered HTTP {status} to {describe(variant)}: {text}")

    def _prediction(self, request_bytes: int, answer: Answer, peer: str | None) -> Prediction:
        row = self._first_row(answer.body)
        probabilities = row.get("probabilities")
        return Prediction(
            top=top_labels(self.info, row["classes"], row["scores"]),
            request_bytes=request_bytes,
            response_bytes=len(answer.body),
            server_ms=stages_of(answer.headers.get("Server-Timing", "")),
            peer=peer,
            distribution=None if probabilities is None else distribution(self.info, probabilities),
        )

    def _first_row(self, answer: bytes) -> dict[str, Any]:
        """The row of the one image that was sent."""
        try:
            (row,) = parsed_json(answer)["predictions"]
            if isinstance(row["classes"], list) and isinstance(row["scores"], list):
                return dict(row)
        except (ValueError, LookupError, TypeError):
            pass
        raise bad_answer(self.info, "something other than predictions with classes and scores, of one image.")


def stages_of(server_timing: str) -> dict[str, float]:
    """Stage -> ms, from the header of an answer: "queue;dur=0.1, decode;dur=2.5"."""
    parts = [part.strip().partition(";dur=") for part in server_timing.split(",")]
    return stages((stage, time_ms) for stage, _, time_ms in parts)


def error_text(answer: bytes) -> str:
    """What the body of a refused request says, on one line."""
    try:
        return one_line(str(parsed_json(answer)["error"]))
    except (ValueError, LookupError, TypeError):
        text = answer[:2000].decode("utf-8", "replace")
        title = _TITLE.search(text) if text.lstrip().startswith("<") else None
        return one_line(title[1].strip() if title else text)  # a proxy's page says no more than its title
