"""A locustfile: posts one prepared body, and waits for its answer before the next.

    locust -f loadtest/cross_check/locust_user.py --host http://127.0.0.1:8501 --body body.json \
        --path /v1/models/inception:predict
"""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant, constant_throughput, events, task


@events.init_command_line_parser.add_listener
def _add_options(parser: Any) -> None:
    parser.add_argument("--body", help="file with the JSON to post")
    parser.add_argument("--path", help="of the URL")
    parser.add_argument("--per-user", type=float, default=0.0, help="requests/s of each user; 0: no waiting")


@events.init.add_listener
def _read_options(environment: Any, **other: Any) -> None:
    options = environment.parsed_options
    Poster.body = Path(options.body).read_bytes()
    Poster.path = options.path
    # A plain function: locust calls it with the user.
    wait = constant_throughput(options.per_user) if options.per_user else constant(0)
    Poster.wait_time = wait


class Poster(FastHttpUser):
    """One user."""

    body = b""
    path = "/"

    @task
    def predict(self) -> None:
        """One request."""
        headers = {"Content-Type": "application/json"}
        self.client.post(self.path, data=self.body, headers=headers)  # type: ignore[arg-type]  # it takes bytes
