"""Why something could not be stored: the disk is full, or the database is busy, by their error codes."""

from __future__ import annotations

import errno
import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

# EFBIG: a quota or ulimit on file sizes.
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# https://www.sqlite.org/rescode.html. Quotas, and a full disk when the log's index grows, are I/O errors.
_SQLITE_NO_ROOM: Final = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_SHMSIZE,
}
_SQLITE_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_PRIMARY: Final = 0xFF  # an extended code holds its primary one in its lowest byte
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL_NO_ROOM: Final = "53100"
_POSTGRESQL_BUSY: Final = ("08", "53", "55P03", "57P", "40")  # how such codes begin


def is_no_room(error: BaseException) -> bool:
    """Whether the disk, a quota or a limit on files is used up."""
    if isinstance(error, DBAPIError):
        code = getattr(error.orig, "sqlite_errorcode", None)
        return code in _SQLITE_NO_ROOM or getattr(error.orig, "sqlstate", None) == _POSTGRESQL_NO_ROOM
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def is_busy(error: BaseException) -> bool:
    """Whether the database is locked, unreachable or out of connections, so that trying again may help."""
    if isinstance(error, NoConnectionFree):
        return True
    if not isinstance(error, DBAPIError) or is_no_room(error):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & _PRIMARY in _SQLITE_BUSY
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or (state is not None and state.startswith(_POSTGRESQL_BUSY))
