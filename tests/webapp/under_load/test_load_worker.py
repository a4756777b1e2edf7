"""The timing process's part of a load test, without a server."""

from __future__ import annotations

import socket

import pytest

from experiment.records import BackendInfo
from experiment.under_load.load_points import part_of, points_of
from loadtest.search.adaptive import Search
from loadtest.search.records import Limits, Target
from loadtest.search.verdict import capacity_of
from tests.support.load.queues import SimulatedTarget, exponential
from tests.support.photo_sets import photo
from tests.support.records import variant
from webapp.worker.load import COPIES_BYTES, LEAST_COPIES, MOST_COPIES, _payload, _record, is_here


@pytest.mark.parametrize("address", ["127.0.0.1:8500", "localhost:8500", "10.255.255.1:1,127.0.0.1:2"])
def test_a_backend_with_an_address_of_this_machine_shares_it(address):
    assert is_here(BackendInfo("a", address=address))


@pytest.mark.parametrize("address", ["192.0.2.7:8500", "no-such-host.invalid:8500", ""])
def test_a_backend_elsewhere_does_not(address):
    assert not is_here(BackendInfo("a", address=address or "192.0.2.8:8500"))


def test_an_embedded_backend_always_shares_the_machine():
    assert is_here(BackendInfo("a", address="192.0.2.7:8500", embedded=True))


def test_a_name_of_this_machine_is_found_out_by_its_address():
    assert is_here(BackendInfo("a", address=f"{socket.gethostbyname('localhost')}:8500"))


def test_every_request_has_bytes_of_its_own_and_knows_the_right_answer():
    data = photo("red", 1, 64)
    small = variant(64, data=data, size_bytes=len(data))
    payload = _payload(BackendInfo("a"), small, "tabby")
    assert len(set(payload.bodies)) == len(payload.bodies) == MOST_COPIES
    assert payload.expected == (("tabby",),) * MOST_COPIES
    assert _payload(BackendInfo("a"), small, None).expected == ()


def test_copies_of_a_large_variant_stay_within_the_memory_for_them():
    large = variant(64, data=b"\xff\xd8" + b"x" * 100, size_bytes=COPIES_BYTES)
    assert len(_payload(BackendInfo("a"), large, None).bodies) == LEAST_COPIES


def test_a_report_has_the_points_that_the_search_itself_worked_with():
    target, limits = SimulatedTarget(exponential(0.010), fails_above=30), Limits(100, 20)
    search = Search(target.offer, limits, 10.0, 100.0, lambda: 20 - target.spent_s)
    search.go()
    found = capacity_of(limits, Target(10.0, 100.0), search.trials, target.spent_s)
    stored = points_of([part_of(_record(trial)) for trial in search.trials], 100, found.percentile)
    keys = ("offered_per_s", "count", "failures", "over_limit", "trials", "causes")
    assert [[getattr(point, key) for key in keys] for point in stored] == [
        [getattr(point, key) for key in keys] for point in found.points
    ]
    for mine, theirs in zip(stored, found.points, strict=True):
        for key in ("p50_ms", "p90_ms", "p99_ms"):  # stored to the microsecond
            assert getattr(mine, key) == pytest.approx(getattr(theirs, key), abs=0.001)
