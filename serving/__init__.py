"""The embedded model server: TensorFlow Serving's protocol, flags and model folders on one machine."""

# First of all: with it the protocol's messages load without TensorFlow's Python, which takes
# seconds. The server needs TensorFlow's library only, see runtimes/tensorflow.py.
import experiment.protocol  # noqa: F401
