"""The Python client: the classes and methods of Cluster Serving's clients, on this queue.

>>> from jobs.client import InputQueue, OutputQueue
>>> InputQueue().enqueue("cat1", img={"path": "cat.jpg"})
>>> OutputQueue().query("cat1")
array([...], dtype=float32)
"""

from experiment.queue.connection import QueueUnavailable
from experiment.queue.submit import JobConflict, QueueFull
from jobs.client.input_queue import InputQueue
from jobs.client.output_queue import OutputQueue
from jobs.client.redis_queue import RedisQueue

__all__ = ["InputQueue", "JobConflict", "OutputQueue", "QueueFull", "QueueUnavailable", "RedisQueue"]
