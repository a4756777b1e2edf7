"""How much of the time is inference: from the server's stages, from its counters, or not known."""

from __future__ import annotations

import pytest

from loadtest.errors import LoadRefused
from loadtest.questions.inference import how_much_is_inference, split_of
from loadtest.questions.prometheus import Counters, check_url, read_counters
from loadtest.questions.target import TIMEOUT_S, Target
from loadtest.records import Sample
from loadtest.send.load import keep_in_flight
from loadtest.send.recording import Watch

SECONDS = 0.8


def sample(latency_ms: float, ok: bool = True, **stages_ms: float) -> Sample:
    return Sample(0.0, 0.0, latency_ms, ok, stages_ms=stages_ms or None)


def counters(requests: float, request_ms: float, runs: float, runtime_ms: float) -> Counters:
    return Counters(requests, request_ms, runs, runtime_ms, None)


def asked(target: Target, picture_for) -> dict:
    answer = how_much_is_inference(target, picture_for(target).payload(), SECONDS, Watch())
    return {"answer": answer, "rows": {row[0]: row for row in answer.rows}}


def test_stages_and_the_rest_add_up_to_the_latency():
    split = split_of(1, [sample(20, queue=1, inference=11), sample(30, queue=3, inference=13)], None)
    assert split.latency_ms == 25
    assert dict(split.parts_ms) == {"queue": 2, "inference": 12, "network, protocol, client": 11}


def test_failed_requests_are_no_part_of_it():
    split = split_of(1, [sample(20, inference=10), sample(5000, ok=False)], None)
    assert (split.latency_ms, split.requests) == (20, 1)


def test_counters_give_the_means_where_there_are_no_stages():
    split = split_of(1, [sample(20), sample(20)], counters(2, 36, 2, 30))
    assert dict(split.parts_ms) == {"run": 15, "server": 3, "network, protocol, client": 2}
    assert split.others == 0


def test_requests_of_others_in_the_counters_are_noticed():
    assert split_of(1, [sample(20)], counters(5, 50, 5, 30)).others == 4


def test_without_stages_and_counters_nothing_is_said():
    assert split_of(1, [sample(20)], None) is None
    assert split_of(1, [sample(20)], Counters(2, 30, None, None, None)) is None


def test_a_server_with_a_page_for_prometheus_is_answered_from_its_counters(counting, picture_for):
    found = asked(counting, picture_for)
    answer = found["answer"]
    assert answer.facts["by"] == "run"
    assert answer.sentence.startswith("The model's run (with decoding) is ")
    assert 0 < answer.facts["share"] < 1
    assert any("request_latency and runtime_latency" in note for note in answer.notes)
    assert not any("Others sent" in note for note in answer.notes)


def test_the_counters_count_every_request_that_was_sent(counting, picture_for):
    before = read_counters(counting)
    payload = picture_for(counting).payload()
    keep_in_flight(counting.info, payload, 2, 60, TIMEOUT_S, requests=10, warmups=0)
    added = read_counters(counting).since(before)
    assert (added.requests, added.runs) == (10, 10)
    assert 0 < added.runtime_ms < added.request_ms
    assert added.cpu_s > 0


@pytest.mark.parametrize("url", ["tf:8501", "https://tf:8501/metrics", "http://", "http://tf:x/"])
def test_an_address_of_a_page_that_is_none_is_refused(url):
    with pytest.raises(LoadRefused, match="not the address of a page"):
        check_url(url)


def test_a_page_that_is_not_there_or_is_none_of_prometheus_is_no_page(embedded):
    assert read_counters(embedded) is None
    assert read_counters(Target(embedded.info, metrics_url="http://127.0.0.1:9/metrics")) is None


def test_a_plain_server_gets_a_handful_of_requests_not_all_that_time_allows(plain, picture_for, monkeypatch):
    asked = []

    def counting_loads(*arguments, **more):
        asked.append(arguments)
        return keep_in_flight(*arguments, **more)

    monkeypatch.setattr("loadtest.questions.inference.keep_in_flight", counting_loads)
    answer = how_much_is_inference(plain, picture_for(plain).payload(), 2.0, Watch())
    assert answer.sentence.startswith("Not known")
    assert len(asked) == 3  # to warm up, one at a time, eight at a time
