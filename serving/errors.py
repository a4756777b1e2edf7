"""What a request or a start can fail with. Each error carries its gRPC code and HTTP status.

HTTP statuses are those TensorFlow Serving answers for the same codes
(tensorflow/serving, util/net_http/public/response_code_enum.h).
"""

from __future__ import annotations


def as_text(message: str) -> str:
    """Names of files need not be UTF-8, gRPC's messages must be: such a byte is shown as \\udcff."""
    return message.encode("utf-8", "backslashreplace").decode()


class StartRefused(Exception):
    """The server can't start: wrong flags, port taken, no model. One line a person can act on."""

    exit_code = 2


class LoadFailed(Exception):
    """A model version can't be loaded or fails its first requests. One line a person can act on."""


class ServingError(Exception):
    """A request that gets an error for an answer. `code` is a gRPC status name."""

    code = "INTERNAL"
    http_status = 500

    def __init__(self, message: str):
        super().__init__(message)
        self.message = message


class InvalidArgument(ServingError):
    """The request itself is wrong; sending it again won't help."""

    code = "INVALID_ARGUMENT"
    http_status = 400


class UnknownEncoding(InvalidArgument):
    """A REST body in a Content-Encoding that is not taken."""

    http_status = 415


class ImageUndecodable(InvalidArgument):
    """Bytes that are no image. The message names which of the images it is."""


class FailedPrecondition(ServingError):
    """The model has no such signature."""

    code = "FAILED_PRECONDITION"
    http_status = 400


class NotFound(ServingError):
    """No such model or version."""

    code = "NOT_FOUND"
    http_status = 404


class TooLarge(ServingError):
    """A message is over the limit."""

    code = "RESOURCE_EXHAUSTED"
    http_status = 413


class Overloaded(ServingError):
    """Too many requests wait already. `retry_after_s` says when to come again."""

    code = "RESOURCE_EXHAUSTED"
    http_status = 429

    def __init__(self, message: str, retry_after_s: float | None = None):
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(ServingError):
    """The client's deadline passed before the answer."""

    code = "DEADLINE_EXCEEDED"
    http_status = 504


class Cancelled(ServingError):
    """The client has gone, so nothing was computed."""

    code = "CANCELLED"
    http_status = 499


class Unimplemented(ServingError):
    """TensorFlow Serving can do this; the embedded server can't."""

    code = "UNIMPLEMENTED"
    http_status = 501


class Unknown(ServingError):
    """A model could not be loaded."""

    code = "UNKNOWN"


class Unavailable(ServingError):
    """Not now: loading, or shutting down."""

    code = "UNAVAILABLE"
    http_status = 503
