"""Mistakes that nobody thought of: what is deployed, changed in every way a table of operators knows.

`python -m tests.deploy.generated` (or `make mutate`) applies them and prints how many the rules of
tests/deploy/policy find, which of the others are harmless and why, and which are neither.
"""
