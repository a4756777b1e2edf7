"""The proof of the queue: what it bears, what it costs, what it does when too much is asked of it.

python -m bench.queue kill | overload | cost | keda; docs/queue-proof.md has the figures.
"""
