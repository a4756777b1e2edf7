"""Limits of sizes, counts and times."""

MESSAGE_LIMIT_BYTES = 64 * 1024**2  # gRPC messages, both ways
# An image of that size over REST: base64 makes four bytes out of three.
BODY_LIMIT_BYTES = MESSAGE_LIMIT_BYTES * 4 // 3 + 4096
# A REST body over the limit is still read to here, so that its sender gets an answer, not a broken pipe.
BODY_READ_BYTES = 4 * BODY_LIMIT_BYTES
TENSOR_LIMIT_BYTES = 256 * 1024**2
# A short message may not stand for more than a message can hold: repeated values, a context that is copied
# into every example, images that decode to far more bytes than they have.
EXPANDED_LIMIT_BYTES = MESSAGE_LIMIT_BYTES
# A single value that stands for a whole tensor takes no memory until it is computed; several do.
REPEATED_LIMIT_BYTES = 1024**2
# Strings, tf.Examples, or rows of an input with two or more dimensions, in one request. A string takes about
# 100 bytes more than its own, and a row of one number may become thousands within the model.
EXAMPLES_LIMIT = 100_000
WAITING_LIMIT = 64  # waiting requests to one signature; more are refused
STOP_GRACE_S = 5.0  # for the requests that wait when the server is stopped
