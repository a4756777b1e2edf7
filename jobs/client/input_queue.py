"""InputQueue: sends jobs, and asks for one answer at once."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np

from experiment.queue.keys import DEFAULT_STREAM
from jobs.client import front_end
from jobs.client.output_queue import NOT_READY, OutputQueue
from jobs.client.place import is_http, queue_at
from jobs.client.sending import Sending
from jobs.client.values import BadInput, as_image, as_input, text_input
from jobs.client.within import within
from jobs.wire.arrow import Value
from jobs.wire.reader import ARRAY

log = logging.getLogger(__name__)


class InputQueue:
    """Sends to the queue `name` at Redis; with `frontend_url`, predict() asks that front end instead.

    Nothing is connected before the first call. `host` may also be a URL of Redis or of a front end. `sync` is
    taken and has no meaning: the first call waits for what it needs.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | str | None = None,
        name: str = DEFAULT_STREAM,
        ssl: bool | str = False,
        ssl_certfile: str | None = None,
        ssl_keyfile: str | None = None,
        ssl_ca_certs: str | None = None,
        frontend_url: str | None = None,
        sync: bool = True,
        password: str | None = None,
    ):
        if is_http(host):
            host, frontend_url = None, frontend_url or host
        if frontend_url and not is_http(frontend_url):
            raise BadInput(f"The front end's URL begins with http:// or https://, not {frontend_url!r}.")
        self._frontend_url = frontend_url
        place = (host, port, name, ssl, ssl_certfile, ssl_keyfile, ssl_ca_certs, password)
        self._sending = Sending(queue_at(*place), ARRAY)
        self._output = OutputQueue(*place)

    def enqueue(self, uri: str, **data: Any) -> None:
        """Send a job: its inputs by name, as values.py takes them. Its result is `uri` in an OutputQueue.

        The same again changes nothing, unless it has failed. Raises QueueFull, JobConflict,
        QueueUnavailable, BadInput, ImageRefused.
        """
        if not data:
            raise BadInput("The job has no input: enqueue(uri, img={'path': ...}) or enqueue(uri, t=array).")
        self._sending.send(uri, {name: as_input(name, value) for name, value in data.items()})

    def enqueue_image(self, uri: str, img: Any) -> None:
        """Send an image: a path, bytes, or an array as OpenCV has it. Raises as enqueue()."""
        self._sending.send(uri, {"image": as_image(img)})

    def enqueue_tensor(self, uri: str, data: Any) -> None:
        """Send one array, also as a list of one. Raises as enqueue()."""
        if isinstance(data, list) and len(data) != 1:
            raise BadInput(
                f"The tensor is a list of {len(data)}. A model with several inputs needs their names: "
                "enqueue(uri, first=array, second=array)."
            )
        array = data[0] if isinstance(data, list) else data
        if not isinstance(array, np.ndarray):
            raise BadInput(f"The tensor is a {type(array).__name__}; pass an array, or a list of one array.")
        self.enqueue(uri, t=array)

    def predict(self, request_data: Any, timeout: float = 5) -> np.ndarray | list[np.ndarray] | str:
        """Send a job and wait for its result: an array, "NaN" if it failed, "[]" if there is none in
        `timeout` seconds; nobody begins the job after that. `request_data` is an array, inputs by name, or
        JSON: {"instances": [{"t": [1, 2]}]}. Raises as enqueue(); over HTTP also for a job that failed, with
        the front end's sentence.
        """
        until_s = time.monotonic() + timeout
        try:
            return within(timeout, lambda: self._predicted(request_data, until_s))
        except TimeoutError:
            return NOT_READY

    def _predicted(self, request_data: Any, until_s: float) -> np.ndarray | list[np.ndarray] | str:
        if self._frontend_url:
            is_body = isinstance(request_data, str | bytes) and _instance(request_data) is not None
            body = request_data if is_body else front_end.instances(_inputs(request_data))
            return front_end.ask(self._frontend_url, body, until_s - time.monotonic())
        inputs, uri = _inputs(request_data), str(uuid.uuid4())
        self._sending.send(uri, inputs, deadline_s=max(until_s - time.monotonic(), 0.001))
        job = self._sending.results.wait(uri, until_s - time.monotonic())
        if job is None or not job.has_ended:
            return NOT_READY
        if job.reason:
            log.warning("predict: %s", job.reason)
        return self._output.query_and_delete(uri)


def _inputs(request_data: Any) -> dict[str, Value]:
    """The inputs by name. Raises BadInput, ImageRefused."""
    instance = _instance(request_data) if isinstance(request_data, str | bytes) else None
    if instance is not None:
        texts = {name: text_input(value) for name, value in instance.items() if isinstance(value, str)}
        named = {**instance, **texts}
    elif isinstance(request_data, Mapping) and not {"path", "b64"} & set(request_data):
        named = dict(request_data)
    else:
        named = {"t": request_data}
    if not named:
        raise BadInput("The job has no input.")
    return {str(name): as_input(str(name), value) for name, value in named.items()}


def _instance(text: str | bytes) -> Mapping[str, Any] | None:
    """The one instance in JSON; None: it is no such JSON, so an image. Raises BadInput for several."""
    try:
        instances = json.loads(text)["instances"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if not isinstance(instances, list) or len(instances) != 1 or not isinstance(instances[0], Mapping):
        raise BadInput('predict() takes one instance: {"instances": [{"t": [1, 2]}]}.')
    return instances[0]
