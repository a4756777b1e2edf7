"""summarise(): what counts, what agrees, what may be believed, and what the reader is warned of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.labels import same_thing
from experiment.records import Label, Plan
from experiment.report.additions import Session, addition_of
from experiment.report.warnings import CODES
from tests.support.records import (
    TABBY,
    TIGER,
    answer,
    answered,
    backend,
    environment,
    failed,
    no_gpu,
    original,
    report,
    sample_report,
    source,
    variant,
)

SMALL = variant(256)
STEADY_MS = [30.0] * 20


def only_cell(measurements, **changes):
    """The cell of a report with one variant on one backend."""
    (cell,) = report(measurements=measurements, **changes).cells
    return cell


def two_variants(of_original, of_small, **changes):
    """The cells of the original and of a smaller copy on one backend."""
    changes = {"variants": (original(), SMALL), "measurements": [*of_original, *of_small]} | changes
    return report(**changes).cells


def codes(a_report):
    return {each.code for each in a_report.warnings}


def warning(a_report, code):
    """The message of the only warning with this code."""
    (message,) = [each.message for each in a_report.warnings if each.code == code]
    return message


# What counts


def test_warm_ups_are_not_counted_and_the_first_one_is_the_cold_start():
    cell = only_cell([*answered([900, 50, 40], is_warmup=True), *answered([30, 31, 32])])
    assert (cell.cold_ms, cell.samples_ms, cell.max_ms) == (900, (30, 31, 32), 32)


def test_failures_are_counted_and_never_taken_for_latencies():
    cell = only_cell([*answered([30, 31]), *failed(3)])
    assert (cell.count, cell.failures, cell.max_ms) == (2, 3, 31)


@given(st.lists(st.sampled_from(["answered", "failed", "warm-up", "failed warm-up"]), max_size=30))
def test_the_samples_are_exactly_the_answered_requests_after_the_warm_ups(kinds):
    make = {
        "answered": lambda ms: answered([ms]),
        "failed": lambda ms: failed(1),
        "warm-up": lambda ms: answered([ms], is_warmup=True),
        "failed warm-up": lambda ms: failed(1, is_warmup=True),
    }
    measurements = [each for ms, kind in enumerate(kinds, start=1) for each in make[kind](float(ms))]
    made = report(measurements=measurements)
    (cell,) = made.cells
    assert cell.samples_ms == tuple(ms for ms, kind in enumerate(kinds, start=1) if kind == "answered")
    assert cell.failures == kinds.count("failed")
    assert made.requests_failed == kinds.count("failed") + kinds.count("failed warm-up")
    assert made.requests_done == len(kinds)


@given(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=80))
def test_every_percentile_can_be_recomputed_from_the_samples(latencies_ms):
    cell = only_cell(answered(latencies_ms))
    assert cell.p50_ms == np.percentile(cell.samples_ms, 50)
    assert cell.p90_ms == (np.percentile(cell.samples_ms, 90) if len(latencies_ms) >= 64 else None)
    assert cell.p99_ms is None


def test_p99_appears_with_662_samples():
    assert only_cell(answered([30.0] * 661)).p99_ms is None
    assert only_cell(answered([30.0] * 662)).p99_ms == 30


@given(st.randoms())
def test_the_numbers_do_not_depend_on_the_order_in_which_cells_were_measured(random):
    measurements = [*answered([30, 31, 33]), *answered([7, 8], SMALL.id), *failed(2, SMALL.id)]
    plain = report(variants=(original(), SMALL), measurements=measurements)
    random.shuffle(measurements)
    shuffled = report(variants=(original(), SMALL), measurements=measurements)
    for one, other in zip(plain.cells, shuffled.cells, strict=True):
        assert sorted(one.samples_ms) == sorted(other.samples_ms)
        assert replace(one, samples_ms=()) == replace(other, samples_ms=())


def test_server_stages_are_medians_and_values_that_are_no_numbers_are_left_out():
    told = [answer(server_ms={"decode": ms}) for ms in (1.0, 2.0, float("nan"), 9.0)]
    measurements = [each for prediction in told for each in answered([30], prediction=prediction)]
    assert only_cell(measurements).server_ms == {"decode": 2.0}


def test_failure_reasons_are_distinct_with_the_most_frequent_first():
    cell = only_cell([*failed(1, code="overloaded"), *failed(2, code="deadline")])
    assert [each.code for each in cell.failure_reasons] == ["deadline", "overloaded"]


def test_a_request_that_was_not_sent_is_neither_an_answer_nor_a_failure():
    made = report(
        measurements=[
            *failed(2, code="unreachable", is_warmup=True),
            *failed(3, code="not_sent", message="Not sent: 8 CPU had stopped answering."),
        ]
    )
    (cell,) = made.cells
    assert (cell.count, cell.failures, cell.not_sent, cell.validity) == (0, 0, 3, "INVALID")
    assert cell.reasons[0] == "Not sent: 8 CPU had stopped answering."
    assert [each.code for each in cell.failure_reasons] == ["not_sent", "unreachable"]
    assert (made.requests_done, made.requests_failed, made.requests_not_sent) == (5, 2, 3)
    (told,) = [each.message for each in made.warnings if each.code == "W10"]
    assert told.startswith("All 2 requests to 8 CPU failed (warm-ups), in 1 cell; 3 more were not sent: ")


def test_a_cell_that_was_left_out_in_the_middle_is_invalid_and_says_how_much_is_missing():
    message = "Not sent: 8 CPU had stopped answering."
    cell = only_cell([*answered([30.0] * 12), *failed(8, code="not_sent", message=message)])
    assert (cell.count, cell.failures, cell.not_sent, cell.validity) == (12, 0, 8, "INVALID")
    assert cell.reasons[0] == f"8 of 20 requests: {message}"


def test_there_is_a_cell_for_each_variant_on_each_backend_even_without_measurements():
    made = report(variants=(original(), SMALL), backends=(backend("8 CPU"), backend("1 CPU")))
    names = [(cell.variant_id, cell.backend_name) for cell in made.cells]
    assert names == [(v, b) for v in ("original", SMALL.id) for b in ("8 CPU", "1 CPU")]
    assert all(cell.p50_ms is None and cell.top == () for cell in made.cells)


# What agrees


def test_agreement_is_with_the_same_backends_own_answer_to_the_original():
    measurements = [
        *answered([30], "original", "GPU", answer(TIGER)),
        *answered([30], SMALL.id, "GPU", answer(TIGER)),
        *answered([30], "original", "8 CPU", answer(TABBY)),
        *answered([30], SMALL.id, "8 CPU", answer(TIGER)),
    ]
    made = report(
        variants=(original(), SMALL), backends=(backend("GPU"), backend("8 CPU")), measurements=measurements
    )
    assert [cell.same_top1 for cell in made.cells] == [True, True, True, False]


def test_a_changed_answer_tells_what_became_of_the_originals_label():
    _, small = two_variants(answered([30]), answered([9], SMALL.id, prediction=answer(TIGER)))
    assert small.same_top1 is False
    assert small.reference_score == 0.35
    assert small.reference_score_change == pytest.approx(-36)
    assert small.top5_overlap == 4 / 5


def test_without_an_answer_to_the_original_agreement_is_not_known():
    _, small = two_variants(failed(20), answered([9], SMALL.id))
    assert (small.same_top1, small.top5_overlap, small.reference_score_change) == (None, None, None)


def test_a_warm_up_is_no_answer_to_compare_with():
    _, small = two_variants(answered([9], is_warmup=True), answered([9], SMALL.id))
    assert small.same_top1 is None


def test_a_label_below_the_top_5_is_found_when_all_scores_are_known():
    far_away = (Label("cup", 0.6), Label("dog", 0.4))
    scores = answer(TABBY[:1], distribution=(0.71, 0.29, 0.0))
    _, known = two_variants(
        answered([30], prediction=scores),
        answered([9], SMALL.id, prediction=answer(far_away, distribution=(0.001, 0.6, 0.399))),
    )
    _, unknown = two_variants(answered([30]), answered([9], SMALL.id, prediction=answer(far_away)))
    assert known.reference_score == 0.001
    assert unknown.reference_score is None


def test_the_jensen_shannon_distance_needs_all_scores_of_both_answers():
    full = answer(distribution=(0.7, 0.3))
    other = answer(distribution=(0.3, 0.7))
    apart = two_variants(answered([1], prediction=full), answered([1], SMALL.id, prediction=other))
    unknown = two_variants(answered([1], prediction=full), answered([1], SMALL.id))
    odd = two_variants(
        answered([1], prediction=full), answered([1], SMALL.id, prediction=answer(distribution=(1.0,)))
    )
    assert apart[0].js_distance == 0
    assert 0.3 < apart[1].js_distance < 0.4
    assert unknown[1].js_distance is None
    assert odd[1].js_distance is None


def test_an_answer_without_labels_is_timed_but_agrees_with_nothing():
    cell = only_cell(answered([30], prediction=answer(())))
    assert (cell.count, cell.same_top1, cell.top) == (1, None, ())


# What is right


def test_accuracy_is_not_known_without_a_true_label():
    cell = only_cell(answered([30]))
    assert (cell.correct_top1, cell.correct_top5) == (None, None)


@pytest.mark.parametrize(
    ("true_label", "correct"),
    [("Tabby", (True, True)), ("tiger_cat", (False, True)), ("espresso", (False, False))],
)
def test_accuracy_compares_with_the_true_label(true_label, correct):
    cell = only_cell(answered([30]), source=source(true_label=true_label))
    assert (cell.correct_top1, cell.correct_top5) == correct


@pytest.mark.parametrize(
    ("label", "true_label", "same"),
    [
        ("tabby, tabby cat", "Tabby Cat", True),
        ("Egyptian_cat", "egyptian cat", True),
        ("tiger cat", "tiger", False),
        ("crane, bird", "wader, Crane", True),
        ("cup", ",", False),
    ],
)
def test_names_match_whatever_their_case_and_among_synonyms(label, true_label, same):
    assert same_thing(label, true_label) is same


# What may be believed


def test_many_steady_samples_are_valid():
    cell = only_cell(answered(STEADY_MS))
    assert cell.validity == "VALID"
    assert cell.reasons == ("20 samples, no failures, p50 known to ±0.0 % (95 %).",)


def test_samples_that_are_spread_out_are_noisy():
    cell = only_cell(answered([30, 60] * 10))
    assert cell.validity == "NOISY"
    assert cell.reasons == ("p50 45 ms, 95 %: 30 to 60 ms (±33 %). More repeats will narrow it.",)


def test_any_failure_makes_a_cell_invalid_and_says_why():
    cell = only_cell([*answered(STEADY_MS), *failed(1)])
    assert cell.validity == "INVALID"
    assert cell.reasons[0].startswith("1 of 21 requests failed: 8 CPU did not answer within 10 s.")


def test_when_all_fail_the_reason_says_so():
    assert only_cell(failed(20)).reasons[0].startswith("All 20 requests failed")


def test_five_samples_are_too_few_and_six_are_not():
    assert only_cell(answered([30.0] * 5)).validity == "INVALID"
    assert only_cell(answered([30.0] * 6)).validity == "VALID"


def test_while_the_run_goes_on_few_samples_are_few_so_far():
    running = only_cell(answered([30.0] * 4), state="running")
    done = only_cell(answered([30.0] * 4))
    assert running.reasons == ("Only 4 samples so far; p50 needs at least 6.",)
    assert "so far" not in done.reasons[0]
    assert "20 is a good start" in done.reasons[0]


def test_cores_that_were_shared_in_parallel_make_both_cells_invalid():
    backends = (
        backend("1 CPU", embedded=True, cores=(1,)),
        backend("8 CPU", embedded=True, cores=(0, 1)),
        backend("GPU", embedded=True, cores=(2,)),
    )
    measurements = [each for info in backends for each in answered(STEADY_MS, backend_name=info.name)]
    forced = report(plan=Plan(order="parallel"), backends=backends, measurements=measurements)
    in_turns = report(plan=Plan(order="auto"), backends=backends, measurements=measurements)
    assert [cell.validity for cell in forced.cells] == ["INVALID", "INVALID", "VALID"]
    assert "shared its cores with 8 CPU" in forced.cells[0].reasons[0]
    assert {cell.validity for cell in in_turns.cells} == {"VALID"}
    assert "1 CPU and 8 CPU share cores" in warning(forced, "W3")
    assert "W3" not in codes(in_turns)


def delayed(latencies_ms, late_ms=12.0, **changes):
    """Answered requests during which this machine was too busy."""
    return [replace(each, late_ms=late_ms) for each in answered(latencies_ms, **changes)]


def watched(latencies_ms, **changes):
    return delayed(latencies_ms, late_ms=0.0, **changes)


def test_samples_that_a_late_beat_touched_are_kept_apart_and_p50_is_without_them():
    made = report(measurements=[*watched([4.0] * 9), *delayed([25.0, 31.0]), *watched([4.0] * 9)])
    (cell,) = made.cells
    assert (cell.count, cell.samples_ms, cell.disturbed_samples_ms) == (20, (4.0,) * 18, (25.0, 31.0))
    assert (cell.p50_ms, cell.max_ms, cell.validity) == (4.0, 31.0, "VALID")  # a tail is of all
    assert "2 of 20 were delayed by other work on this machine: p50 is without." in cell.reasons[0]
    (told,) = [each for each in made.warnings if each.code == "W4"]
    assert told.level == "note"
    assert "delayed 2 of 20 samples" in told.message


def test_p90_needs_no_more_repeats_because_some_were_set_apart():
    assert only_cell([*watched([4.0] * 60), *delayed([25.0] * 4)]).p90_ms is not None


def test_a_late_beat_that_is_a_small_part_of_a_request_does_not_disturb_it():
    made = report(measurements=[*watched([300.0] * 10), *delayed([300.0] * 10)])
    assert made.cells[0].count == 20
    assert "W4" not in codes(made)


def test_peers_and_stages_are_those_of_the_samples_that_count():
    busy = answer(server_ms={"inference": 40.0}, peer="10.0.0.2:1", batch=2)
    quiet = answer(server_ms={"inference": 3.0}, peer="10.0.0.1:1", batch=1)
    taken = [*watched([4.0] * 8, prediction=quiet), *delayed([50.0], prediction=busy)]
    made = report(measurements=taken, backends=(backend(replicas=3),))
    (cell,) = made.cells
    assert len(cell.peers) == len(cell.batches) == len(cell.samples_ms) == 8
    assert cell.server_ms == {"inference": 3.0}
    assert "All 9 answers of 8 CPU came from 2 replicas although it has 3." in warning(made, "W5")


@pytest.mark.parametrize("quiet", [0, 5, 9])
def test_where_too_few_would_be_left_all_count_and_the_cell_is_noisy_at_most(quiet):
    taken = [*watched([4.0] * quiet), *delayed([4.0] * (20 - quiet))]
    made = report(measurements=taken)
    (cell,) = made.cells
    assert (cell.count, cell.disturbed_counted, cell.disturbed_samples_ms) == (20, 20 - quiet, ())
    assert cell.validity == "NOISY"
    assert cell.reasons == (
        f"{20 - quiet} of 20 were delayed by other work on this machine. "
        "Close other programs and add repeats.",
    )
    assert "1 cell is NOISY for it" in warning(made, "W4")


@given(st.lists(st.tuples(st.floats(0.5, 50), st.floats(0, 30)), min_size=6, max_size=60))
def test_late_beats_alone_never_make_a_cell_invalid_and_lose_no_sample(taken):
    measurements = [
        each for latency_ms, late_ms in taken for each in delayed([latency_ms], min(late_ms, latency_ms))
    ]
    busy = environment(heartbeat_max_ms=50.0, heartbeat_late_share=0.5)
    cell = only_cell(measurements, environment=busy)
    assert cell.validity in {"VALID", "NOISY"}
    assert sorted(cell.samples_ms + cell.disturbed_samples_ms) == sorted(
        each.rounded_ms for each in measurements
    )
    assert cell.p50_low_ms <= cell.p50_ms <= cell.p50_high_ms


@given(
    st.lists(st.tuples(st.floats(1, 20), st.booleans()), min_size=6, max_size=30),
    st.lists(st.tuples(st.floats(1, 20), st.booleans()), max_size=44),
)
def test_more_repeats_never_make_a_cell_worse_than_noisy(first, added):
    def taken(samples):
        return [
            each
            for latency_ms, is_late in samples
            for each in delayed([latency_ms], latency_ms if is_late else 0)
        ]

    plan = Plan()
    session = Session(addition_of("f", 2.0, "done", plan, environment(), taken(added)), taken(added))
    (cell,) = report(measurements=taken(first), added=[session]).cells
    assert cell.validity in {"VALID", "NOISY"}
    assert cell.count == len(first) + len(added)


def test_a_run_from_before_late_beats_had_times_is_noisy_where_it_is_faster_than_10_ms():
    busy = environment(heartbeat_max_ms=38.2, heartbeat_late_share=0.2)
    fast = report(measurements=answered([4.0] * 20), environment=busy)
    slow = report(measurements=answered(STEADY_MS), environment=busy)
    words = "Other programs slowed this machine; times under 10 ms may be off."
    assert (fast.cells[0].validity, fast.cells[0].reasons) == ("NOISY", (words,))
    assert warning(fast, "W4") == words
    assert slow.cells[0].validity == "VALID"
    assert "W4" not in codes(slow)  # nothing in it is fast enough to be touched


def test_cells_of_a_backend_that_went_away_in_mid_run_are_not_taken_for_quiet_ones():
    taken = [
        *answered(STEADY_MS),
        *failed(1, "512-jpeg-85", code="unreachable"),
        *answered(STEADY_MS, backend_name="1 CPU"),
    ]
    backends = (backend("8 CPU"), backend("1 CPU"))
    judged = {cell.backend_name: cell for cell in report(measurements=taken, backends=backends).cells[:2]}
    assert judged["8 CPU"].validity == "NOISY"
    assert "stopped answering during the run and came back" in judged["8 CPU"].reasons[0]
    assert judged["1 CPU"].validity == "VALID"


def test_one_late_beat_among_many_is_not_busy():
    hiccup = environment(heartbeat_max_ms=38.2, heartbeat_late_share=0.001)
    assert "W4" not in codes(report(measurements=answered([4.0] * 20), environment=hiccup))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state": "running"}, "Nothing measured so far."),
        ({"state": "cancelled"}, "The run ended before this was measured. Run again to fill it in."),
        ({"backends": (no_gpu(),)}, "Nothing was measured. No GPU on this machine."),
    ],
)
def test_an_empty_cell_says_why_it_is_empty(changes, reason):
    assert only_cell([], **changes).reasons == (reason,)


# What the reader is warned of


def test_a_finished_quiet_run_with_many_repeats_has_no_warnings():
    assert sample_report(repeats=64).warnings == ()


def test_every_warning_that_can_appear_stands_in_the_table_of_codes():
    busy_and_mixed = [
        *answered([4.0] * 3, prediction=answer(TABBY, model_version=1)),
        *answered([4.0], prediction=answer(TIGER, model_version=2)),
        *failed(1),
        *answered([4.0] * 3, backend_name="2 CPU", prediction=answer(TABBY, peer="10.0.3.9:8500")),
    ]
    backends = (
        backend("8 CPU", address="10.0.3.7:8500"),
        backend("GPU", address="10.0.3.7:8501"),
        backend("1 CPU", state="down", detail="No answer at tf:8500"),
        backend("4 CPU", cpus=4, cores=(0, 1), embedded=True),
        backend("2 CPU", replicas=3, model="resnet", reads=("image/png",)),
    )
    made = report(
        state="cancelled",
        source=source(notes=("Transparent parts were laid on white.",)),
        backends=backends,
        variants=(original(encoder="lossless PNG of the original: CMYK colours"), variant(canvas_noise=True)),
        skipped_sizes_px=(8192,),
        measurements=busy_and_mixed,
        environment=environment(heartbeat_max_ms=50.0, heartbeat_late_share=0.5),
    )
    assert codes(made) == set(CODES)


def test_few_repeats_are_told_apart_from_enough():
    few = warning(report(plan=Plan(repeats=20)), "W2")
    assert few == "20 samples per cell give a median; p90 needs 64, p99 needs 662."
    assert "W2" not in codes(report(plan=Plan(repeats=64)))


def test_after_a_cancel_the_samples_that_there_are_are_named_and_not_those_that_were_planned():
    taken = [*answered([30.0] * 12), *answered([30.0] * 11, "256-jpeg-85")]
    stopped = report(state="cancelled", variants=(original(), SMALL), measurements=taken)
    assert warning(stopped, "W2").startswith("11 to 12 samples per cell give a median;")
    assert "W2" not in codes(report(state="cancelled"))  # nothing was measured at all


def test_servers_on_one_host_are_warned_of_unless_asked_one_at_a_time():
    backends = (backend("GPU", address="[::1]:1"), backend("8 CPU", address="localhost:2"), backend("far"))
    assert "GPU and 8 CPU run on the same machine (localhost)" in warning(report(backends=backends), "W3")
    for order in ("in_turns", "one_at_a_time"):
        assert "W3" not in codes(report(backends=backends, plan=Plan(order=order)))


def queued(**changes):
    return backend(
        "Queued", protocol="queue", address="queue://r:6379/s", embedded=False, cores=None, **changes
    )


def test_a_queue_and_the_model_server_behind_it_may_not_be_measured_at_once():
    backends = (backend("1 CPU", address="127.0.0.1:85"), queued(model_servers=("localhost:85",)))
    together = report(backends=backends, plan=Plan(order="parallel"))
    assert "1 CPU and Queued share cores and were measured at the same time" in warning(together, "W3")
    assert {cell.validity for cell in together.cells} == {"INVALID"}
    in_turns = report(backends=backends, plan=Plan(order="auto"))
    assert "W3" not in codes(in_turns)


def test_another_model_server_behind_a_queue_on_the_same_host_is_warned_of():
    backends = (backend("1 CPU", address="h:85"), queued(model_servers=("h:86",)))
    assert "1 CPU and Queued run on the same machine (h)" in warning(report(backends=backends), "W3")
    unknown = (backend("1 CPU", address="h:85"), queued())
    assert "W3" not in codes(report(backends=unknown))


def test_the_batch_of_every_answer_of_a_queue_is_kept():
    made = report(measurements=answered([9.0, 8.0], prediction=answer(batch=3)))
    assert made.cells[0].batches == (3, 3)
    assert report(measurements=answered([4.0])).cells[0].batches == ()


def test_a_server_that_is_down_does_not_contend():
    backends = (backend("GPU", address="h:1"), backend("8 CPU", address="h:2", state="down"))
    assert "W3" not in codes(report(backends=backends))


def test_skipped_sizes_are_named():
    made = report(skipped_sizes_px=(1024, 2048))
    assert warning(made, "W6").startswith(
        "The original is smaller than 1024 px, so 2048 and 1024 were skipped."
    )


def test_scores_that_change_between_repeats_are_warned_of_with_their_size():
    other = (Label("tabby", 0.706), *TABBY[1:])
    measurements = [*answered([30.0]), *answered([30.0], prediction=answer(other))]
    message = warning(report(measurements=measurements), "W7")
    assert "on 8 CPU (by up to 0.4 points)" in message


def test_a_label_that_changes_between_repeats_is_warned_of():
    measurements = [*answered([30.0]), *answered([30.0], prediction=answer(TIGER))]
    assert "even the top label" in warning(report(measurements=measurements), "W7")


def test_the_last_bits_of_a_score_may_change():
    other = (Label("tabby", 0.71 + 1e-7), *TABBY[1:])
    assert "W7" not in codes(
        report(measurements=[*answered([30.0]), *answered([30.0], prediction=answer(other))])
    )


def test_an_absent_backend_is_warned_of_once():
    made = report(backends=(backend(), no_gpu()), measurements=answered(STEADY_MS))
    assert warning(made, "W8") == "GPU was left out: No GPU on this machine."


def test_requests_to_a_backend_that_was_down_are_not_warned_of_twice():
    down = backend(state="down", detail="No answer at tf:8500 (connection refused).")
    made = report(backends=(down,), measurements=failed(5))
    assert codes(made) == {"W2", "W8"}
    assert warning(made, "W8") == "8 CPU: No answer at tf:8500 (connection refused). All 5 requests failed."


def test_a_backend_that_was_not_asked_as_it_refused_is_one_note():
    why = "No answer at tf-gpu:8500 (connection refused). Is the server running?"
    gone = backend("GPU", state="down", detail=why)
    made = report(backends=(backend(), gone), measurements=answered(STEADY_MS))
    (told,) = [each for each in made.warnings if "GPU" in each.message]
    assert (told.code, told.level, told.message) == ("W8", "note", f"GPU was left out: {why}")


def test_a_backend_that_dies_in_mid_run_is_warned_of_by_its_failures():
    made = report(measurements=[*answered(STEADY_MS), *failed(2, code="unreachable", message="It went away")])
    assert warning(made, "W10") == ("2 of 22 requests to 8 CPU failed, in 1 cell: It went away.")


def test_failed_warm_ups_are_counted_and_named_as_such():
    gone = [*failed(3, backend_name="gone", is_warmup=True), *failed(6, backend_name="gone")]
    made = report(
        backends=(backend(), backend("gone")),
        measurements=[*answered(STEADY_MS), *gone, *failed(1, is_warmup=True)],
    )
    messages = [each.message for each in made.warnings if each.code == "W10"]
    cause = "8 CPU did not answer within 10 s. Other backends are unaffected."
    assert messages == [
        f"1 of 21 requests to 8 CPU failed (a warm-up), in 1 cell: {cause}",
        f"All 9 requests to gone failed (3 of them warm-ups), in 1 cell: {cause}",
    ]
    assert made.requests_failed == 10


def test_a_backend_with_fewer_cores_than_its_name_says_is_warned_of():
    short = backend("8 CPU", cpus=8, cores=(0, 1), embedded=True)
    assert warning(report(backends=(short,)), "W13") == (
        "8 CPU runs on 2 cores, all that this machine has: its numbers are those of 2 cores."
    )
    enough = backend("2 CPU", cpus=2, cores=(0, 1), embedded=True)
    assert "W13" not in codes(report(backends=(enough, backend("8 CPU", cpus=8, cores=(0,)))))


def test_a_note_says_that_agreement_does_not_compare_different_models():
    other = [replace(each, backend_name="small") for each in answered(STEADY_MS)]
    measured = [*answered(STEADY_MS), *other]
    made = report(
        backends=(backend(model="resnet"), backend("small", model="mobilenet")), measurements=measured
    )
    served = "resnet (8 CPU) and mobilenet (small)"
    assert warning(made, "W22").startswith(f"The backends serve different models: {served}. ")
    assert next(each.level for each in made.warnings if each.code == "W22") == "note"
    silent = report(backends=(backend(model="resnet"), backend("small", model="mobilenet", state="down")))
    assert "W22" not in codes(silent)


def test_notes_are_told_from_warnings():
    made = report(
        backends=(
            backend(cpus=8, cores=(0, 1), embedded=True),
            no_gpu(),
            backend("gone", state="down"),
        ),
        state="cancelled",
        skipped_sizes_px=(8192,),
        source=source(notes=("Turned upright",)),
        measurements=[*answered(STEADY_MS), *failed(1), *failed(2, backend_name="gone")],
    )
    levels = [(each.code, each.level) for each in made.warnings]
    assert levels == [
        ("W2", "note"),
        ("W6", "note"),
        ("W8", "note"),
        ("W8", "warning"),
        ("W9", "note"),
        ("W10", "warning"),
        ("W12", "note"),
        ("W13", "note"),
    ]


def test_what_was_done_to_the_pixels_is_said():
    made = report(source=source(notes=("Transparent parts were laid on white",)))
    assert warning(made, "W9") == "Transparent parts were laid on white."


def test_a_reference_that_was_encoded_again_is_said():
    made = report(variants=(original(encoder="lossless PNG of the original: turned upright"),))
    assert warning(made, "W11").endswith("It is lossless PNG of the original: turned upright.")


@pytest.mark.parametrize(
    ("state", "start"), [("cancelled", "Stopped after 2 of 23"), ("failed", "The run failed after 2")]
)
def test_a_run_that_ended_early_says_so(state, start):
    assert warning(report(state=state, measurements=answered([30, 31])), "W12").startswith(start)


def by_peers(*hosts: str, replicas: int | None = 3):
    """A run in which these replicas gave the answers, in this order."""
    asked = [each for host in hosts for each in answered([4.0], prediction=answer(peer=f"{host}:8500"))]
    return report(backends=(backend(replicas=replicas),), measurements=asked)


def test_replicas_that_never_answered_are_missed_where_they_are_known():
    assert warning(by_peers("10.0.3.9", "10.0.3.9", "10.0.3.9"), "W5").startswith(
        "All 3 answers of 8 CPU came from 1 replica although it has 3."
    )
    assert "W5" not in codes(by_peers("10.0.3.7", "10.0.3.8", "10.0.3.9"))
    assert "W5" not in codes(by_peers("10.0.3.7"))  # one request can't have asked all
    assert "W5" not in codes(by_peers("10.0.3.7", "10.0.3.7", replicas=None))


def test_each_sample_says_which_replica_gave_it():
    (cell,) = by_peers("10.0.3.7", "10.0.3.8", "10.0.3.7").cells
    assert cell.peers == ("10.0.3.7:8500", "10.0.3.8:8500", "10.0.3.7:8500")
    assert len(cell.peers) == len(cell.samples_ms)
    assert report(measurements=answered([4.0])).cells[0].peers == ()


def test_an_upload_that_is_mostly_no_picture_is_said_and_a_little_exif_is_not():
    cut = {"encoder": "as uploaded, without metadata", "size_bytes": 212_000}
    made = report(source=source(size_bytes=8_200_000), variants=(original(**cut),))
    assert warning(made, "W11") == (
        "8.0 MB of the 8.2 MB uploaded are not the picture itself but, for example, a video, a thumbnail or "
        "EXIF. "
        "The original was sent without them, 212 KB; percentages are of the whole file."
    )
    assert next(each.level for each in made.warnings if each.code == "W11") == "note"
    usual = report(source=source(size_bytes=220_000), variants=(original(**cut),))
    assert "W11" not in {each.code for each in usual.warnings}
