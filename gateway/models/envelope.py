"""The answers' form of BMW InnovationLab's inference APIs: `success, data, error`, with true statuses.

There, errors were answered with status 200. Each error begins with the name of its class and its words there.
"""

from __future__ import annotations

from typing import Any, Final

from experiment.errors import PixelcostError

AGAIN_S: Final = 5  # Retry-After


class OldError(PixelcostError):
    """The root. `code` is the class' name, as `error` begins with it."""

    words = "unexpected server error"  # of the earlier API
    status = 500

    def __init__(self, message: str, http_status: int | None = None):
        super().__init__(message, type(self).__name__, http_status or self.status)

    @property
    def text(self) -> str:
        """The value of `error`."""
        return f"{self.code}: {self.words}. {self.message}"


class ModelNotFound(OldError):
    """There is no sub-folder of that name."""

    words, status = "Model not found", 404


class ModelNotLoaded(OldError):
    """It is not served yet."""

    words, status = "Error loading model", 503


class InvalidModelConfiguration(OldError):
    """Its folder or its config.json can't be used. Asking again won't help: the files must be corrected."""

    words, status = "Invalid model configuration", 409


class InferenceEngineNotFound(OldError):
    """It is a model of another task than classification."""

    words, status = "Inference engine not found", 501


class InvalidInputData(OldError):
    """The image or the form can't be used."""

    words, status = "Invalid input data", 400


class ServerFailed(OldError):
    """The model server gave no answer, or an odd one."""

    words, status = "unexpected server error", 502


def good(data: Any, **more: Any) -> dict[str, Any]:
    """A successful answer. `more` are members that older clients of single addresses look for."""
    return {"success": True, "data": data, "error": "", **more}


def bad(error: OldError) -> dict[str, Any]:
    """An answer that is an error."""
    return {"success": False, "data": None, "error": error.text}
