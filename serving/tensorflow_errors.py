"""TensorFlow's errors in the words of the protocol."""

from __future__ import annotations

import tensorflow as tf

from serving import errors

_PREFIX = "Graph execution error:"
_NODE = "[[{{node"  # from here on a message tells where in the graph; no client knows the graph

BY_CODE: dict[int, type[errors.ServingError]] = {
    tf.errors.INVALID_ARGUMENT: errors.InvalidArgument,
    tf.errors.OUT_OF_RANGE: errors.InvalidArgument,
    tf.errors.UNIMPLEMENTED: errors.Unimplemented,
    tf.errors.RESOURCE_EXHAUSTED: errors.Overloaded,
    tf.errors.CANCELLED: errors.Cancelled,
    tf.errors.UNAVAILABLE: errors.Unavailable,
}


def as_serving_error(problem: tf.errors.OpError) -> errors.ServingError:
    """The same failure with a gRPC code and one line of text."""
    kind = BY_CODE.get(problem.error_code, errors.ServingError)
    return kind(first_line(problem))


def first_line(problem: Exception) -> str:
    """What went wrong, without the prefix, the graph nodes and the traceback that follow it."""
    text = getattr(problem, "message", None) or str(problem)
    text = text.removeprefix(_PREFIX).partition(_NODE)[0].strip()
    line = text.splitlines()[0] if text else type(problem).__name__
    return line if line.endswith(".") else line + "."
