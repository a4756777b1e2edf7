"""The embedded model server: TensorFlow Serving's protocol, flags and model folders on one machine."""

import os

# NumPy starts a thread per core when it is imported, before the server is pinned to its cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# With this the protocol's messages load without TensorFlow's Python, which takes seconds. The
# server needs only TensorFlow's library, see tensorflow_c/library.py.
import experiment.protocol  # noqa: F401
