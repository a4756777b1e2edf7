"""The error tree. Each error builds its own message and carries its HTTP status.

Bad input raises one of these. A request that fails while measuring is not an
exception but data: a `Failure` with one of FAILURE_CODES.
"""

from __future__ import annotations

from collections.abc import Sequence

# The closed list of causes that a failed request can have.
FAILURE_CODES = {
    "unreachable": "nothing answers at the address, or the connection broke",
    "deadline": "no answer within the time limit",
    "too_large": "the message is over a size limit",
    "bad_request": "the backend refused the image or the request",
    "not_found": "the backend has no such model, version or signature",
    "overloaded": "the backend is overloaded and said so",
    "bad_answer": "the answer can't be understood, has the wrong shape, or holds NaN",
    "not_sent": "the backend had stopped answering, so this request was not sent: it counts as no failed one",
    "server_error": "the backend failed on its side",
}


class PixelcostError(Exception):
    """Something a person did or can mend. `code` is stable, `message` is for people."""

    code = "error"
    http_status = 400

    def __init__(self, message: str, code: str | None = None, http_status: int | None = None):
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.http_status = http_status or self.http_status


class ImageRefused(PixelcostError):
    """The uploaded file can't be used. `code` is one of IMAGE_CODES."""

    code = "image_refused"
    http_status = 422


# Reason code of a refusal -> the HTTP status it is answered with.
IMAGE_CODES = {
    "not_an_image": 415,
    "format_not_allowed": 415,
    "heic_not_supported": 415,
    "empty_file": 422,
    "too_many_bytes": 413,
    "too_many_pixels": 413,
    "side_too_long": 422,
    "truncated": 422,
    "damaged": 422,
}


class PlanRefused(PixelcostError):
    """The plan asks for something that does not exist. Names every problem at once."""

    code = "plan_refused"
    http_status = 422

    def __init__(self, problems: Sequence[str]):
        super().__init__(" ".join(problems))
        self.problems = tuple(problems)


class VariantsRefused(PixelcostError):
    """Variants made in the browser can't be used. Names every problem at once."""

    code = "variants_refused"
    http_status = 422

    def __init__(self, problems: Sequence[str]):
        super().__init__(" ".join(problems))
        self.problems = tuple(problems)


class ConfigRefused(PixelcostError):
    """Settings can't be used. Names every problem at once."""

    code = "config_refused"
    http_status = 500

    def __init__(self, what: str, problems: Sequence[str]):
        count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
        super().__init__(f"{what} has {count}: " + "; ".join(problems) + ".")
        self.problems = tuple(problems)


class EmbeddedFailed(PixelcostError):
    """An embedded model server could not be prepared or started."""

    code = "embedded_failed"
    http_status = 500
