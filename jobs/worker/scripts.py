"""Redis' scripts in the files of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import redis

ALLOW_OOM: Final = "#!lua flags=allow-oom\n"  # since Redis 7: ending a job frees memory, so it must always go


class Script:
    """A script in a file of this folder, which also runs when Redis' memory is full.

    Redis is first asked when it is called, so that a worker can be made while Redis is away.
    """

    def __init__(self, client: redis.Redis, name: str):
        self._client = client
        self._text = Path(__file__).with_name(name).read_text("utf-8")
        self._call: Any = None

    def __call__(self, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run it. Raises redis.RedisError."""
        if self._call is None:
            is_7 = int(self._client.info("server")["redis_version"].split(".")[0]) >= 7
            self._call = self._client.register_script(ALLOW_OOM + self._text if is_7 else self._text)
        return self._call(keys=keys, args=args)
