"""TensorFlow Serving over REST: POST /v1/models/<model>:predict with base64 in JSON."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import requests

from experiment.answers import distribution, top_labels
from experiment.backends import MESSAGE_LIMIT_BYTES, RequestFailed, describe, short_cause, too_late
from experiment.records import BackendInfo, Prediction, Variant
from experiment.replicas import Replicas, Resolver, look_up

_CODES = {
    400: "bad_request",
    404: "not_found",
    413: "too_large",
    429: "overloaded",
    503: "unreachable",
    504: "deadline",
}


class _Session(requests.Session):
    """A kept-alive connection to one address."""

    def __init__(self, address: str):
        super().__init__()
        self.trust_env = False  # no proxy from the environment: it would be measured too
        self.address = address


class RestBackend:
    """One kept-alive session to each replica of one server. Use it from one thread."""

    def __init__(self, info: BackendInfo, resolve: Resolver = look_up):
        self.info = info
        self._replicas = Replicas(info.address, _Session, resolve)
        self._headers = {"Content-Type": "application/json", "Host": info.address}
        self._path = f"/v1/models/{info.model}:predict"
        self._head = b'{"signature_name": %s, "instances": [{"b64": "' % json.dumps(info.signature).encode()

    def predict(self, variant: Variant, timeout_s: float) -> Prediction:
        """Send the image as base64, return the top 5. Raises RequestFailed."""
        peer, session = self._replicas.next()
        body = self._head + base64.b64encode(variant.data) + b'"}]}'
        try:
            response, answer = self._post(session, body, timeout_s)
        except requests.Timeout:
            self._replicas.lost(peer)
            raise too_late(self.info, variant, timeout_s) from None
        except requests.RequestException as error:
            self._replicas.lost(peer)
            place = peer or self.info.address
            message = f"No answer from {self.info.name} at {place} ({short_cause(str(error))})."
            raise RequestFailed("unreachable", message) from None
        self._replicas.answered(peer)
        if response.status_code != 200:
            raise self._refused(response.status_code, answer, variant)
        return self._prediction(len(body), answer, response.headers.get("Server-Timing", ""), peer)

    def decode(self, variant: Variant, timeout_s: float) -> Prediction:
        """Not offered: there is no output filter here, and the pixels would come back as text."""
        raise RequestFailed("bad_request", f"{self.info.name} is asked for decoding alone over gRPC only.")

    def close(self) -> None:
        """Close the kept-alive connections."""
        self._replicas.close()

    def _post(self, session: _Session, body: bytes, timeout_s: float) -> tuple[requests.Response, bytes]:
        """The answer's head and body, all of it within `timeout_s`, not only each read."""
        deadline = time.monotonic() + timeout_s
        url = f"http://{session.address}{self._path}"
        with session.post(url, body, headers=self._headers, timeout=timeout_s, stream=True) as response:
            answer = bytearray()
            while chunk := response.raw.read1(65536, decode_content=True):
                answer += chunk
                if time.monotonic() > deadline:
                    raise requests.Timeout
                if len(answer) > MESSAGE_LIMIT_BYTES:
                    raise RequestFailed("bad_answer", f"{self.info.name} answered more than 64 MiB.")
        return response, bytes(answer)

    def _refused(self, status: int, answer: bytes, variant: Variant) -> RequestFailed:
        name, text = self.info.name, _error_text(answer)
        if status == 413:
            return RequestFailed(
                "too_large", f"A proxy in front of {name} refuses bodies this large: {describe(variant)}."
            )
        code = _CODES.get(status, "server_error")
        return RequestFailed(code, f"{name} answered HTTP {status} to {describe(variant)}: {text}")

    def _prediction(self, request_bytes: int, answer: bytes, timing: str, peer: str | None) -> Prediction:
        row = self._first_row(answer)
        return Prediction(
            top=top_labels(self.info, row["classes"], row["scores"]),
            request_bytes=request_bytes,
            response_bytes=len(answer),
            server_ms=_stages(timing),
            peer=peer,
            distribution=distribution(row.get("probabilities", ())),
        )

    def _first_row(self, answer: bytes) -> dict[str, Any]:
        try:
            row = json.loads(answer)["predictions"][0]
            if isinstance(row["classes"], list) and isinstance(row["scores"], list):
                return dict(row)
        except (ValueError, LookupError, TypeError):
            pass
        message = f"{self.info.name} answered something other than predictions with classes and scores."
        raise RequestFailed("bad_answer", message)


def _error_text(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])[:500]
    except (ValueError, LookupError, TypeError):
        return answer[:200].decode("utf-8", "replace")


def _stages(server_timing: str) -> dict[str, float]:
    """Server-Timing "queue;dur=0.1, decode;dur=2.5" as milliseconds by stage."""
    stages = {}
    for part in server_timing.split(","):
        name, _, duration = part.strip().partition(";dur=")
        try:
            stages[name] = float(duration)
        except ValueError:
            continue
    return stages
