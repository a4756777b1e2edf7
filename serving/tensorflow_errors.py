"""TensorFlow's errors in the words of the protocol."""

from __future__ import annotations

import tensorflow as tf

from serving import errors

PREFIX = "Graph execution error:"
NODE = "[[{{node"  # from here on a message tells where in the graph; no client knows the graph
LONGEST = 300  # characters; some messages quote the whole input

# What one run of a graph can raise. UnicodeDecodeError: TensorFlow failed to turn its own message
# into text, because it quotes bytes of the input.
RUN_ERRORS = (tf.errors.OpError, UnicodeDecodeError)

BY_CODE: dict[int, type[errors.ServingError]] = {
    tf.errors.INVALID_ARGUMENT: errors.InvalidArgument,
    tf.errors.OUT_OF_RANGE: errors.InvalidArgument,
    tf.errors.UNIMPLEMENTED: errors.Unimplemented,
    tf.errors.RESOURCE_EXHAUSTED: errors.Overloaded,
    tf.errors.CANCELLED: errors.Cancelled,
    tf.errors.UNAVAILABLE: errors.Unavailable,
}


def as_serving_error(problem: Exception) -> errors.ServingError:
    """One of RUN_ERRORS with a gRPC code and one line of text."""
    if isinstance(problem, UnicodeDecodeError):
        return errors.InvalidArgument(first_line(problem.object.decode(errors="replace")))
    kind = BY_CODE.get(getattr(problem, "error_code", tf.errors.UNKNOWN), errors.ServingError)
    return kind(first_line(getattr(problem, "message", str(problem))))


def first_line(text: str) -> str:
    """What went wrong, without the prefix, the graph nodes and the traceback that follow it."""
    text = text.removeprefix(PREFIX).partition(NODE)[0].strip()
    line = text.splitlines()[0][:LONGEST] if text else "TensorFlow gave no reason"
    return line if line.endswith(".") else line + "."
