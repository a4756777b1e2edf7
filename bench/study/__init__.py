"""python -m bench.study: what a demo claimed about image sizes and formats in 2018, measured again.

Photos in, runs of `python -m experiment`, their reports, and from these tables, plots and verdicts.
docs/findings.md is written around what this prints.
"""
