"""How much the server takes on at once."""

MESSAGE_LIMIT_BYTES = 64 * 1024**2  # gRPC messages, both ways
# An image of that size over REST: base64 makes four bytes of three.
BODY_LIMIT_BYTES = MESSAGE_LIMIT_BYTES * 4 // 3 + 4096
# A REST body over the limit is still read to here, so that its sender gets an answer, not a broken pipe.
BODY_READ_BYTES = 4 * BODY_LIMIT_BYTES
TENSOR_LIMIT_BYTES = 256 * 1024**2
# What a short message stands for may not be larger than a message that spells it out: values that repeat,
# a context that counts for each example, images that decode to far more bytes than they have.
EXPANDED_LIMIT_BYTES = MESSAGE_LIMIT_BYTES
# As long as one value stands for all it takes no memory before it is computed; several do.
REPEATED_LIMIT_BYTES = 1024**2
# Of one request: strings, tf.Examples, rows of an input with two or more dimensions. A string takes about
# 100 bytes beside its own, and a row of one number may become thousands within the model.
EXAMPLES_LIMIT = 100_000
WAITING_LIMIT = 64  # requests to one signature; the next one is told to come back later
STOP_GRACE_S = 5.0  # for the requests that wait when the server is told to stop
