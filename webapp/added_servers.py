"""Servers that somebody added on the page, for the runs of one browser.

They are in no list of the app: the browser keeps them and sends them with each run, and they are checked
again each time. What is known of them is kept for a while, so that a run need not wait for a test.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

from common.checks import PRICE_LIMIT, Expected, is_line, is_number, one_of
from common.json_values import strict_json
from experiment.backends.addresses import LONGEST_NAME, check_name
from experiment.backends.probe import probe
from experiment.backends.replicas import Resolver
from experiment.codec import from_dict
from experiment.errors import PixelcostError
from experiment.file_names import printable
from experiment.records import BackendInfo
from httpserver.problems import Refused
from webapp.allowed_addresses import ANYWHERE, NotAllowed, checked, parse_allowed, split
from webapp.config import Settings

MOST_SERVERS: Final = 8  # of one run
LONGEST_TEXT: Final = 20_000  # characters of the form's field
LONGEST_OPTION: Final = 200  # of a model's, a signature's or an input's name
PROTOCOLS: Final = ("grpc", "rest")
KEYS: Final = ("name", "address", "protocol", "model", "signature", "input_key", "price_per_hour")
OPTIONS: Final = ("model", "signature", "input_key")
PROBE_TIMEOUT_S: Final = 2.0
KNOWN_FOR_S: Final = 60.0
MOST_KNOWN: Final = 256
CHECKS, CHECKS_OF_ALL, PER_S = 20, 60, 60.0  # of new addresses, by one client and by all, in so many seconds

OFF: Final = (
    "Servers can't be added on this page. The administrator allows it with PIXELCOST_ADD_SERVERS=on and "
    "PIXELCOST_ADD_SERVERS_ALLOWED, or lists the server in TF_SERVERS."
)
UNTESTED: Final = "Not tested: a run is being measured."

Probe = Callable[[BackendInfo, float], BackendInfo]


class ServerRefused(PixelcostError):
    """A server that can't be added as it was described. `fields` has a sentence for each of its keys."""

    code = "server_refused"
    http_status = 422

    def __init__(self, fields: Mapping[str, str], name: str = ""):
        whose = f"{name}: " if name else ""
        super().__init__(whose + " ".join(fields.values()))
        self.fields = fields


class AddedServers:
    """Checks, tests and remembers the servers that were added."""

    def __init__(
        self,
        settings: Settings,
        is_measuring: Callable[[], bool],
        resolve: Resolver | None = None,
        ask: Probe = probe,
    ):
        self._settings = settings
        self._is_measuring = is_measuring
        self._resolve = resolve
        self._ask = ask
        self._allowed = parse_allowed(settings.add_servers_allowed or ANYWHERE)
        self._known: OrderedDict[BackendInfo, tuple[float, BackendInfo]] = OrderedDict()
        self._pace = Pace()
        self._lock = threading.Lock()

    def test(self, wanted: Any, taken: Collection[str], client: str) -> BackendInfo:
        """The server that `wanted` describes, as it answers now. Raises ServerRefused and Refused."""
        described = self._described(wanted, taken)
        return self._probe(self._checked(described, client))

    def of_run(self, text: str, taken: Collection[str], client: str) -> list[BackendInfo]:
        """The servers in a form's field, a list in JSON, as last known, or as they answer now.

        `taken` are the names of the other backends. Raises ServerRefused and Refused.
        """
        rows = _listed(text)
        described: list[BackendInfo] = []
        for row in rows:
            described.append(self._described(row, {*taken, *(info.name for info in described)}))
        return self._seen([self._checked(info, client) for info in described])

    def beside(
        self, others: Sequence[BackendInfo], rows: Sequence[Mapping[str, Any]], client: str
    ) -> list[BackendInfo]:
        """The added ones among `rows`, backends of a stored run, as they are now; and the `others`.

        An added one hides another backend of its name. Raises ServerRefused and Refused.
        """
        infos = [self._checked(_added_in(row), client) for row in rows if row.get("added_as")]
        names = {info.name for info in infos}
        return [*(info for info in others if info.name not in names), *self._seen(infos)]

    def _described(self, wanted: Any, taken: Collection[str]) -> BackendInfo:
        if not self._settings.can_add_servers:
            raise Refused("servers_not_allowed", OFF, 403)
        return described(wanted, self._settings.backend_defaults, taken)

    def _checked(self, info: BackendInfo, client: str) -> BackendInfo:
        """With the addresses to connect to. Raises Refused, in the same words whatever is wrong with it."""
        if not self._settings.can_add_servers:
            raise Refused("servers_not_allowed", OFF, 403)
        if not self._is_known(info):
            self._pace.take(client)
        try:
            addresses = checked(str(info.added_as), self._allowed, self._resolve)
        except NotAllowed:
            why = (
                f"{info.added_as} can't be used: no such host is known here, or the administrator does not "
                "allow the address (PIXELCOST_ADD_SERVERS_ALLOWED)."
            )
            raise ServerRefused({"address": why}) from None
        return replace(info, address=addresses)

    def _seen(self, infos: Sequence[BackendInfo]) -> list[BackendInfo]:
        """Each as last known; asked now if that is long ago, but never while a run measures."""
        if not infos:
            return []
        if self._is_measuring():
            return [self._remembered(info) or replace(info, detail=UNTESTED) for info in infos]
        with ThreadPoolExecutor(len(infos), "probe") as pool:
            return list(
                pool.map(lambda info: self._remembered(info, KNOWN_FOR_S) or self._probe(info), infos)
            )

    def _probe(self, info: BackendInfo) -> BackendInfo:
        answer = self._ask(info, PROBE_TIMEOUT_S)
        with self._lock:
            self._known[info] = time.monotonic(), answer
            self._known.move_to_end(info)
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return answer

    def _remembered(self, info: BackendInfo, for_s: float | None = None) -> BackendInfo | None:
        with self._lock:
            at, answer = self._known.get(info, (0.0, None))
        is_fresh = for_s is None or (answer and answer.state == "ready" and time.monotonic() - at < for_s)
        return answer if is_fresh else None

    def _is_known(self, info: BackendInfo) -> bool:
        """Whether this was asked for before, and its address was allowed."""
        with self._lock:
            return any(replace(known, address=info.address) == info for known in self._known)


class Pace:
    """How often new addresses may be checked, so that nobody explores a network or its names with it."""

    def __init__(self) -> None:
        self._times: deque[tuple[float, str]] = deque()
        self._lock = threading.Lock()

    def take(self, client: str) -> None:
        """Count one check. Raises Refused if there were too many."""
        with self._lock:
            now = time.monotonic()
            while self._times and self._times[0][0] <= now - PER_S:
                self._times.popleft()
            of_client = sum(by == client for _, by in self._times)
            if of_client >= CHECKS or len(self._times) >= CHECKS_OF_ALL:
                why = (
                    f"Servers were tested {of_client} times within a minute. Wait a minute, then test again."
                )
                raise Refused("too_many_tests", why, 429, round(PER_S))
            self._times.append((now, client))


def described(wanted: Any, defaults: BackendInfo, taken: Collection[str]) -> BackendInfo:
    """The server that a JSON object describes, its address not yet checked. Raises ServerRefused."""
    if not isinstance(wanted, dict):
        raise ServerRefused({"": 'A server is an object, like {"name": "GPU", "address": "gpu-box:8500"}.'})
    problems = {key: f"There is no setting {key[:40]!r} of a server." for key in wanted if key not in KEYS}
    given = {key: value for key, value in wanted.items() if value is not None and value != ""}
    values: dict[str, Any] = {}
    for key in KEYS:
        try:
            values |= {key: _READ[key](given[key])} if key in given else {}
        except ValueError as expected:
            problems[key] = f"{_LABELS[key]} {expected}."
    if "address" not in problems:
        problems |= {} if "address" in given else {"address": f"{_LABELS['address']} is missing."}
    name = values.get("name") or values.get("address", "")
    if "name" not in problems and "address" not in problems:
        problems |= _name_problem(name, taken)
    if problems:
        raise ServerRefused(problems, name)
    place = values.pop("address")
    return replace(defaults, **{**values, "name": name}, address="", added_as=place)


def _added_in(row: Mapping[str, Any]) -> BackendInfo:
    """A server as it was added, without what was found out about it."""
    known = from_dict(BackendInfo, row)
    return replace(BackendInfo(""), **{key: getattr(known, key) for key in KEYS}, added_as=known.added_as)


def _name_problem(name: str, taken: Collection[str]) -> dict[str, str]:
    if name in taken:
        return {"name": f"Another backend has the name {name}: choose another one."}
    try:
        check_name(name, ())
    except ValueError as problem:
        return {"name": f"It {problem}."}
    return {}


def _listed(text: str) -> list[Any]:
    """The rows of the form's field. Raises ServerRefused."""
    if not text.strip():
        return []
    try:
        rows = strict_json(text) if len(text) <= LONGEST_TEXT else None
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list) or len(rows) > MOST_SERVERS:
        raise ServerRefused({"": f"`servers` must be a JSON list of at most {MOST_SERVERS} servers."})
    return rows


def _address(value: Any) -> str:
    if not isinstance(value, str):
        raise Expected("must be host:port, like gpu-box:8500")
    split(value.strip())
    return value.strip()


def _line(longest: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        text = printable(value).strip() if isinstance(value, str) else ""
        if not is_line(text, longest):
            raise Expected(f"must be a line of at most {longest} characters")
        return text

    return read


def _protocol(value: Any) -> str:
    try:
        return one_of(PROTOCOLS)(value)
    except Expected as expected:
        raise Expected(f"must be {expected}") from None


def _price(value: Any) -> float:
    if not is_number(value) or not 0 <= value < PRICE_LIMIT:
        raise Expected("must be a number from 0, like 0.35")
    return float(value)


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "name": _line(LONGEST_NAME),
    "address": _address,
    "protocol": _protocol,
    **dict.fromkeys(OPTIONS, _line(LONGEST_OPTION)),
    "price_per_hour": _price,
}
_LABELS: Final = {
    "name": "The name",
    "address": "The address",
    "protocol": "The protocol",
    "model": "The model's name",
    "signature": "The signature",
    "input_key": "The input's name",
    "price_per_hour": "The price per hour",
}
