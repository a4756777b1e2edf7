"""A config.yaml of Cluster Serving as settings of `python -m jobs serve`."""

from jobs.config.read import read_config
from jobs.config.serve_config import ServeConfig

__all__ = ["ServeConfig", "read_config"]
