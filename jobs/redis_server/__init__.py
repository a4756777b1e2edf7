"""A Redis for who has none: found, started in the data folder, watched and ended."""

from jobs.redis_server.ensure import Place, ensure

__all__ = ["Place", "ensure"]
