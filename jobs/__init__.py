"""Queue serving: workers that take jobs from a Redis stream, and the commands around them.

The nouns are in experiment/queue/records.py, the worker's loop in jobs/worker/worker.py. Read those first.
"""
