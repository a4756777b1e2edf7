"""TensorFlow's errors in the words of the protocol."""

from __future__ import annotations

from serving import errors

PREFIX = "Graph execution error:"
NODE = "[[{{node"  # from here on a message tells where in the graph; no client knows the graph
LONGEST = 300  # characters; some messages quote the whole input

# By the numbers of tensorflow/c/tsl/tsl_status.h, which are gRPC's.
BY_CODE: dict[int, type[errors.ServingError]] = {
    1: errors.Cancelled,
    3: errors.InvalidArgument,
    4: errors.DeadlineExceeded,
    5: errors.NotFound,
    8: errors.Overloaded,
    9: errors.FailedPrecondition,
    11: errors.InvalidArgument,  # OUT_OF_RANGE: truncated data
    12: errors.Unimplemented,
    14: errors.Unavailable,
}


def as_serving_error(code: int, message: str) -> errors.ServingError:
    """An error of a run with a gRPC code and one line of text."""
    return BY_CODE.get(code, errors.ServingError)(first_line(message))


def first_line(text: str) -> str:
    """What went wrong, without the prefix, the graph nodes and the traceback that follow it."""
    text = text.removeprefix(PREFIX).partition(NODE)[0].strip()
    line = text.splitlines()[0].strip()[:LONGEST] if text else "TensorFlow gave no reason"
    line = "".join(each if each.isprintable() else "?" for each in line)  # some quote bytes of the input
    return line if line.endswith(".") else line + "."
