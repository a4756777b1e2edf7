"""What can be wrong with what a load test is asked for. A failed request is data, not an exception."""

from __future__ import annotations

from experiment.errors import PixelcostError


class LoadRefused(PixelcostError):
    """The load can't be generated as asked: a bad schedule, payload, target or limit."""

    code = "load_refused"
    http_status = 422
