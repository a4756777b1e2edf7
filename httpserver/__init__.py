"""What the project's web processes share: gunicorn's worker, uploads' pace, problems, logs, checks.

`webapp/` (the page) and `gateway/` (pictures in, JSON out) are the two.
"""
