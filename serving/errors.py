"""The errors of requests, with their gRPC codes and HTTP statuses, and those of the start and of loading.

The HTTP statuses are TensorFlow Serving's for the same codes
(tensorflow/serving, util/net_http/public/response_code_enum.h).
"""

from __future__ import annotations


def as_text(message: str) -> str:
    """A message as UTF-8 text, for gRPC. Names of files may have other bytes: these become \\udcff."""
    return message.encode("utf-8", "backslashreplace").decode()


class StartRefused(Exception):
    """The server can't start: wrong flags, port taken, no model. The message says what to do."""

    exit_code = 2


class LoadFailed(Exception):
    """A model version can't be loaded or fails its first requests. The message says what to do."""


class ServingError(Exception):
    """A request that is answered with an error. `code` is the name of a gRPC status."""

    code = "INTERNAL"
    http_status = 500

    def __init_subclass__(cls, code: str = "", http_status: int = 0):
        cls.code, cls.http_status = code or cls.code, http_status or cls.http_status

    def __init__(self, message: str):
        super().__init__(message)
        self.message = message


class InvalidArgument(ServingError, code="INVALID_ARGUMENT", http_status=400):
    """The request itself is wrong; sending it again won't help."""


class UnknownEncoding(InvalidArgument, http_status=415):
    """The Content-Encoding of a REST body is not supported."""


class ImageUndecodable(InvalidArgument):
    """Bytes that are not an image. The message names the image."""


class FailedPrecondition(ServingError, code="FAILED_PRECONDITION", http_status=400):
    """The model does not have the signature."""


class NotFound(ServingError, code="NOT_FOUND", http_status=404):
    """The model or version does not exist."""


class TooLarge(ServingError, code="RESOURCE_EXHAUSTED", http_status=413):
    """The request or answer is larger than the limit."""


class Overloaded(ServingError, code="RESOURCE_EXHAUSTED", http_status=429):
    """Too many requests wait already. The client may try again after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float | None = None):
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(ServingError, code="DEADLINE_EXCEEDED", http_status=504):
    """The client's deadline passed before the answer."""


class Cancelled(ServingError, code="CANCELLED", http_status=499):
    """The client has gone, so nothing was computed."""


class Unimplemented(ServingError, code="UNIMPLEMENTED", http_status=501):
    """TensorFlow Serving supports this; this server does not."""


class Unknown(ServingError, code="UNKNOWN"):
    """A model could not be loaded."""


class Unavailable(ServingError, code="UNAVAILABLE", http_status=503):
    """The server is loading models, or stopping."""
