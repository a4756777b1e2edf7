"""How much the server takes on at once."""

MESSAGE_LIMIT_BYTES = 64 * 1024**2  # gRPC messages, both ways
# An image of that size over REST: base64 makes four bytes of three.
BODY_LIMIT_BYTES = MESSAGE_LIMIT_BYTES * 4 // 3 + 4096
# A REST body over the limit is still read to here, so that its sender gets an answer, not a broken pipe.
BODY_READ_BYTES = 4 * BODY_LIMIT_BYTES
# A message of 64 MiB can ask for a tensor of any size by repeating one value.
TENSOR_LIMIT_BYTES = 256 * 1024**2
WAITING_LIMIT = 64  # requests to one signature; the next one is told to come back later
STOP_GRACE_S = 5.0  # for the requests that wait when the server is told to stop
