"""RestSender: POST /v1/models/<model>:predict with aiohttp, over kept-alive connections."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Sequence

import aiohttp

from experiment.backends.answers import parsed_json
from experiment.backends.base import short_cause
from experiment.backends.rest import FAILURES, error_text, model_path, stages_of
from experiment.records import BackendInfo
from loadtest.send.sender import CONNECT_S, Answer, AnswersRead, SendFailed, place_of

HEADERS = {"Content-Type": "application/json"}


class RestSender:
    """One session; its pool grows to the number of requests in flight."""

    def __init__(self, info: BackendInfo, addresses: Sequence[str]):
        self._info = info
        peers = addresses if len(addresses) > 1 else (None,)
        urls = [f"http://{address}{model_path(info)}:predict" for address in addresses]
        self._turns = itertools.cycle(zip(peers, urls, strict=True))
        self._answers = AnswersRead(_labels)

    async def open(self) -> None:
        """Make the session. Connections are opened by the first requests: warm up before timing."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
        connector = aiohttp.TCPConnector(limit=0, force_close=False)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)

    async def send(self, body: bytes, timeout_s: float) -> Answer:
        """One POST. Raises SendFailed."""
        peer, url = next(self._turns)
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._session.post(url, data=body, headers=HEADERS, allow_redirects=False) as response,
            ):
                answer = await response.read()
        except TimeoutError:
            raise SendFailed(
                "deadline", f"{place_of(self._info, peer)} did not answer in time.", peer
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            text = f"No answer from {place_of(self._info, peer)} ({_reason(error)})."
            raise SendFailed("unreachable", text, peer) from None
        if response.status != 200:
            cause = FAILURES.get(response.status, "bad_answer" if response.status < 400 else "server_error")
            text = f"{place_of(self._info, peer)} answered HTTP {response.status}: {error_text(answer)}"
            raise SendFailed(cause, text, peer)
        stages_ms = stages_of(response.headers.get("Server-Timing", ""))
        return Answer(self._answers.labels(answer), stages_ms or None, peer, len(answer))

    async def close(self) -> None:
        """Close the session with its connections."""
        await self._session.close()


def _reason(error: Exception) -> str:
    """The system's own words where there are some; aiohttp's hold the address and its settings."""
    number = getattr(error, "errno", None) or 0
    return os.strerror(number).lower() if number > 0 else short_cause(str(error) or type(error).__name__)


def _labels(answer: bytes) -> list[str] | None:
    """The first class of every prediction; None if they have no classes, or those are numbers."""
    try:
        predictions = parsed_json(answer)["predictions"]
        if not all(isinstance(row, dict) and "classes" in row for row in predictions):
            return None
        classes = [row["classes"] for row in predictions]
        labels = [each[0] if isinstance(each, list) else each for each in classes]
        return labels if all(isinstance(label, str) for label in labels) else None
    except (ValueError, LookupError, TypeError):
        raise SendFailed("bad_answer", "The answer is not a list of predictions.") from None
