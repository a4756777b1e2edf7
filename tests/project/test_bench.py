"""The arithmetic of the benchmarks, and their generator of load against a real server."""

from __future__ import annotations

import io

from PIL import Image

from bench.batching import steady_rate
from bench.support.callers import calling, ends_s, request_of
from bench.support.figures import figure
from bench.support.open_loop import OK, offer
from bench.support.servables import photo_of
from bench.sweep import stub_server


def test_a_target_is_met_only_when_the_bad_end_of_the_interval_meets_it():
    samples = [1.0, 1.01, 1.02, 1.03, 1.04, 1.05]
    assert figure("name", samples, at_most=1.05).endswith("target <= 1.05: met")
    assert figure("name", samples, at_most=1.03).endswith("target <= 1.03: not sure")
    assert figure("name", samples, at_most=0.99).endswith("target <= 0.99: missed")
    assert figure("name", samples, at_least=1.0).endswith("target >= 1.0: met")
    assert figure("name", samples[:5], at_least=1.0).endswith("(too few blocks), target >= 1.0: not known")


def test_a_rate_counts_whole_batches_and_not_the_start():
    start = [0.5]  # one alone, then batches of four every tenth of a second
    batches = [1.0 + number / 10 + index / 1000 for number in range(9) for index in range(4)]
    assert round(steady_rate([*start, *batches]), 6) == 40


def test_a_photo_is_filled_up_to_the_size_and_still_decodes():
    data = photo_of(400_000)
    assert abs(len(data) - 400_000) < 8
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.width == 1024


def test_every_request_of_an_open_loop_is_accounted_for():
    with stub_server(5) as port, calling(f"127.0.0.1:{port}") as predict:
        answered = offer(predict, request_of(b"x"), rate_per_s=50, seconds=0.4, timeout_s=10, read=len)
        late = offer(predict, request_of(b"x"), rate_per_s=100, seconds=0.1, timeout_s=0.0001)
    assert answered.codes == {OK: 20}
    assert len(answered.latencies_ms) == len(answered.others) == 20
    assert late.codes == {"DEADLINE_EXCEEDED": 10}


def test_callers_ask_as_often_as_they_should_and_together():
    with stub_server(20) as port, calling(f"127.0.0.1:{port}") as predict:
        ends = ends_s(lambda: predict(request_of(b"x")), callers=2, count=6)
    assert len(ends) == 6
    assert ends == sorted(ends)
