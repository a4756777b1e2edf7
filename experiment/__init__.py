"""The core of Pixelcost: a photo in, measurements out, a report from them.

Read records.py first. No web framework, no HTML server, no TensorFlow runtime.
"""

__version__ = "0.1.0"
