"""The tables that runs are stored in. A change needs a step in `schema.py`, for older databases."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()


def _run_id() -> sa.Column[str]:
    """The run that a row belongs to."""
    return sa.Column("run_id", sa.String(32), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


runs = sa.Table(
    "runs",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),  # counts up: newest first means highest first
    sa.Column("id", sa.String(32), unique=True, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("name", sa.Text, nullable=False),  # of the photo
    sa.Column("created_at", sa.Float, nullable=False),  # seconds since the epoch
    sa.Column("finished_at", sa.Float),  # null until the run has ended
    sa.Column("plan", sa.Text, nullable=False),  # JSON, as the next three
    sa.Column("backends", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("failure", sa.Text),  # null unless the run as a whole failed
    sa.Column("requests_planned", sa.Integer, nullable=False, default=0),
    sa.Column("requests_done", sa.Integer, nullable=False, default=0),
    sa.Column("requests_failed", sa.Integer, nullable=False, default=0),
    sa.Column("last_seq", sa.Integer, nullable=False, default=0),
    sa.Column("size_bytes", sa.BigInteger, nullable=False, default=0),  # of its events and blobs
    sa.Column("headline", sa.Text),  # the recommendation, for the history; null until the run has ended
    sa.Index("runs_by_state", "state"),
)

# What happened in a run, in order. `data` is the JSON that event streams send;
# `scores` holds a prediction's full distribution, which only reports need.
events = sa.Table(
    "events",
    metadata,
    _run_id(),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),  # 1, 2, ...
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("scores", sa.Text),
)

# The bytes of each variant, in parts, so that no large image is ever held as a whole.
blobs = sa.Table(
    "blobs",
    metadata,
    _run_id(),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),  # 0, 1, ...
    sa.Column("data", sa.LargeBinary, nullable=False),
)

# Small pictures of what a run sent. A search for the breaking point has its own, as a follow-up.
thumbs = sa.Table(
    "thumbs",
    metadata,
    _run_id(),
    sa.Column("key", sa.String(64), primary_key=True),  # of a variant, step or photo
    sa.Column("media_type", sa.String(32), nullable=False),
    sa.Column("width_px", sa.Integer, nullable=False),
    sa.Column("height_px", sa.Integer, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

# The leases of live runs: which process has which run, and until when (webapp/store/leases.py).
leases = sa.Table(
    "claims",  # what earlier versions called it
    metadata,
    _run_id(),
    sa.Column("owner", sa.String(32), nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),  # seconds since the epoch, by the database's clock
    sa.Column("is_next", sa.Boolean, nullable=False, default=False),  # first in its process's queue
    sa.Column("is_cancelled", sa.Boolean, nullable=False, default=False),  # by a request to another process
)

# Which runs are follow-ups: stored and queued like any run, but their results belong to the run `of_run`.
follow_ups = sa.Table(
    "follow_ups",
    metadata,
    _run_id(),
    sa.Column("of_run", sa.String(32), nullable=False, index=True),
    sa.Column("kind", sa.String(16), nullable=False),  # a FollowUpKind
)

# The versions that these tables have had in this database; the highest is today's (webapp/store/schema.py).
schema_versions = sa.Table(
    "pixelcost_schema",  # other programs' migrations have a schema_version of their own
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("release", sa.String(32), nullable=False),  # of Pixelcost, which brought it to that version
    sa.Column("at", sa.Float, nullable=False),  # seconds since the epoch
)
