"""The client side of the job queue: what submits jobs to Redis or Valkey and reads their results.

`jobs/` has the other side, the workers. keys.py says what lies in Redis under which name.
"""
