"""What lies in Redis, and under which name.

    <stream>                               stream: the jobs that wait or run; an entry goes with its job's end
    pixelcost:{<stream>}:job:<id>          hash: state of one job; expires after its end (records.py, Job)
    pixelcost:{<stream>}:photo:<sha256>    hash: `data`, and how many open jobs need it (`refs`); expires
    pixelcost:{<stream>}:dead              stream: jobs that were given up, with the reason
    pixelcost:{<stream>}:unread            sorted set: ids of ended jobs with an unread result that is read in
                                           bulk, by the time of their end, ms since the epoch
    pixelcost:{<stream>}:rate              hash: jobs that ended, by second
    pixelcost:{<stream>}:stats             hash: counts since the stream began
    pixelcost:{<stream>}:full              string: the queue refuses jobs until it is shorter
    pixelcost:{<stream>}:worker:<name>     string: who holds this name; expires if it dies
    pixelcost:{<stream>}:about             hash: what each worker says of itself, as JSON (workers.py)
    cluster-serving_<stream>:<uri>         hash: `value`, a result as Cluster Serving's clients read it
    result:<uri>                           the same for its first clients

The braces keep all keys of a queue in one slot, so one script may change them together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from common.checks import Expected

GROUP: Final = "serving"  # the consumer group, named as Cluster Serving's clients create it
DEFAULT_STREAM: Final = "serving_stream"
FIRST_STREAM: Final = "image_stream"  # of Cluster Serving's first clients

_NAME = re.compile(r"[^\s{}*?\[\]]{1,100}")


def stream_name(text: str) -> str:
    """Parses a stream's name. Raises Expected."""
    if not _NAME.fullmatch(text) or not text.isprintable():
        raise Expected("the name of a stream: 1 to 100 characters without spaces, braces, brackets, * and ?")
    return text


def beginning_with(prefix: str) -> str:
    """A pattern of Redis for all names that begin so.

    >>> beginning_with("cat*")
    'cat\\\\**'
    """
    return "".join(f"\\{char}" if char in "\\*?[]^" else char for char in prefix) + "*"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one queue.

    >>> Keys("serving_stream").job("cat1")
    'pixelcost:{serving_stream}:job:cat1'
    """

    stream: str = DEFAULT_STREAM

    def job(self, job_id: str) -> str:
        """State and result of a job."""
        return self._own(f"job:{job_id}")

    def photo(self, sha256: str) -> str:
        """A photo's bytes."""
        return self._own(f"photo:{sha256}")

    def worker(self, name: str) -> str:
        """The lease on a worker's name."""
        return self._own(f"worker:{name}")

    @property
    def about(self) -> str:
        """What each worker says of itself, by its name; also of some that are dead."""
        return self._own("about")

    def done_channel(self, job_id: str) -> str:
        """Pub/sub channel on which the end of a job is announced."""
        return self._own(f"done:{job_id}")

    @property
    def dead(self) -> str:
        """Jobs that were given up."""
        return self._own("dead")

    @property
    def unread(self) -> str:
        """Ids of jobs that ended and whose results are taken in bulk, by jobs.client's dequeue()."""
        return self._own("unread")

    @property
    def rate(self) -> str:
        """Jobs that ended, by second."""
        return self._own("rate")

    @property
    def stats(self) -> str:
        """Counts since the stream began: accepted, refused, done, failed, dead, stale."""
        return self._own("stats")

    @property
    def full(self) -> str:
        """There while the queue refuses jobs."""
        return self._own("full")

    def old_result(self, uri: str) -> str:
        """A result as Cluster Serving's later clients read it; of FIRST_STREAM, as its first ones did."""
        return f"result:{uri}" if self.stream == FIRST_STREAM else f"cluster-serving_{self.stream}:{uri}"

    def _own(self, rest: str) -> str:
        return f"pixelcost:{{{self.stream}}}:{rest}"
