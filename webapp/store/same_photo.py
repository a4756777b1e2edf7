"""Which runs are about the same photo, or the same set: by the SHA-256 that their first events hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, func, select

from webapp.store.tables import events

BEGINS = ("source", "report")  # kinds of the event that tells of the photo; the second of an imported run
HEAD_CHARACTERS = 4000  # of that event, which in an imported report holds all samples
# The first is the photo's. No name can look like it, since JSON escapes quotes.
SHA256: Final = re.compile(r'"sha256": ?"([0-9a-f]{64})"')


def photo_hashes(connection: Connection, run_ids: Sequence[str]) -> dict[str, str]:
    """Run -> the hash of its photo or set; runs that have not read it yet are left out."""
    query = select(events.c.run_id, func.substr(events.c.data, 1, HEAD_CHARACTERS))
    query = query.where(events.c.run_id.in_(run_ids), events.c.kind.in_(BEGINS)).order_by(events.c.seq)
    found = ((run_id, SHA256.search(head)) for run_id, head in connection.execute(query))
    return {run_id: match.group(1) for run_id, match in found if match}
