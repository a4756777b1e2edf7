"""Each goal fails only if the data say so, is kept if they say so, and is not clear otherwise."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from experiment.check.budget import budget_of
from experiment.check.cells import checked_run
from experiment.check.judge import judge
from experiment.decide.compare import NotComparable
from experiment.errors import PixelcostError
from experiment.export.report_json import report_dict
from experiment.photo_sets.photo_result import PhotoResult
from experiment.records import Failure, Plan
from tests.support.records import (
    TIGER,
    answer,
    answered,
    backend,
    failed,
    no_gpu,
    original,
    report,
    source,
    variant,
)
from tests.support.set_records import photos, summary

SMALL = variant(256)


def times(middle_ms: float, count: int = 64, seed: str = "a", spread: float = 0.04) -> list[float]:
    noise = random.Random(seed)
    return [middle_ms * (1 + spread * noise.uniform(-1, 1)) for _ in range(count)]


def run(measurements, name="this run", **changes):
    values = {"variants": (original(), SMALL), "measurements": measurements} | changes
    return checked_run(name, report_dict(report(**values)))


def two(new_ms: float, old_ms: float = 10.0, count: int = 64, **changes):
    """The same variants on two backends, measured at the same time."""
    found = [
        each
        for name, middle_ms in (("old", old_ms), ("new", new_ms))
        for of in (original(), SMALL)
        for each in answered(times(middle_ms, count, f"{name} {of.id}"), of.id, name)
    ]
    return run(found, backends=(backend("old"), backend("new")), **changes)


def of_set(**counted: int):
    return checked_run("this run", report_dict(summary(photos(**counted))))


def outcomes(judged):
    return {(each.cell, each.goal): each.outcome for each in judged.verdicts}


def judged(checked, text, *earlier):
    return judge(checked, budget_of(text), earlier)


def one(checked, goal, *earlier, cells='variants = ["256-jpeg-85"]'):
    """The verdict on one goal of the small variant."""
    [verdict] = judged(checked, f"[[goals]]\n{cells}\n{goal}", *earlier).verdicts
    return verdict


@pytest.mark.parametrize(
    ("goal", "outcome"),
    [
        ("max_p50_ms = 9", "fail"),
        ("max_p50_ms = 11", "pass"),
        ("max_p50_ms = 10", "unclear"),
        ("max_p90_ms = 9.5", "fail"),
        ("max_p90_ms = 11", "pass"),
        ("max_size_bytes = 6881", "pass"),
        ("max_size_bytes = 6880", "fail"),
        ("same_answer = true", "pass"),
    ],
)
def test_a_goal_of_one_photo(goal, outcome):
    cells = [*answered(times(30)), *answered(times(10), SMALL.id)]
    assert one(run(cells), goal).outcome == outcome


def test_what_is_not_clear_says_how_many_more_repeats_would_tell():
    samples = [9.5] * 10 + [10.5] * 16
    verdict = one(run([*answered(times(30)), *answered(samples, SMALL.id)]), "max_p50_ms = 10")
    assert (verdict.outcome, verdict.measured) == ("unclear", "10 ms (9.5 to 10.5)")
    assert verdict.reason == "About 280 more repeats would tell, if it is as it looks."


def test_more_goals_need_stronger_proof():
    samples = [9.5] * 4 + [10.5] * 16  # by chance in 6 of 1,000
    cells = [*answered(times(30)), *answered(samples, SMALL.id)]
    goals = "[[goals]]\nvariants = ['256-jpeg-85']\nmax_p50_ms = 10\n"
    assert judged(run(cells), goals).verdicts[0].outcome == "fail"
    more = goals + "[[goals]]\nmax_p50_ms = 400\n"
    assert judged(run(cells), more).verdicts[0].outcome == "unclear"


def test_requests_without_an_answer_count_as_too_slow():
    cells = [*answered(times(30)), *answered(times(10, 5), SMALL.id), *failed(25, SMALL.id)]
    verdict = one(run(cells), "max_p50_ms = 50")
    assert (verdict.outcome, verdict.measured) == ("fail", "no time; 25 of 30 requests got no answer")


def test_times_that_can_not_be_believed_are_not_clear_whatever_they_are():
    checked = run([*answered(times(30)), *answered(times(5), SMALL.id)])
    changed = replace(checked.view.cells[1], validity="INVALID", reasons=("This app was busy.",))
    checked = replace(checked, view=replace(checked.view, cells=(checked.view.cells[0], changed)))
    for limit in (1, 50):
        verdict = one(checked, f"max_p50_ms = {limit}")
        assert (verdict.outcome, verdict.reason) == ("unclear", "This app was busy.")
    few = run([*answered(times(30)), *answered([10.0] * 3, SMALL.id)])
    assert one(few, "max_p50_ms = 50").outcome == "unclear"


def test_another_answer_is_a_fact():
    cells = [*answered(times(30)), *answered(times(10), SMALL.id, prediction=answer(TIGER))]
    verdict = one(run(cells), "same_answer = true")
    assert (verdict.outcome, verdict.measured) == ("fail", "tiger cat (41 %)")


def test_the_true_label_decides_where_it_is_given():
    cells = [*answered(times(30)), *answered(times(10), SMALL.id)]
    for label, outcome in (("tabby", "pass"), ("lynx", "fail")):
        assert one(run(cells, source=source(true_label=label)), "right_answer = true").outcome == outcome
    assert (
        one(run(cells), "right_answer = true").reason
        == "The run has no true label. Give it with --true-label."
    )


@pytest.mark.parametrize(
    ("counted", "goal", "outcome"),
    [
        ({"both": 980, "lost": 20}, "min_agreement_percent = 99.5", "fail"),
        ({"both": 980, "lost": 20}, "min_agreement_percent = 96", "pass"),
        ({"both": 98, "lost": 2}, "min_agreement_percent = 98.5", "unclear"),
        ({"both": 30}, "min_agreement_percent = 100", "pass"),
        ({"both": 29, "lost": 1}, "min_agreement_percent = 100", "fail"),
        ({"both": 900, "neither": 100}, "min_top1_percent = 94", "fail"),
        ({"both": 900, "neither": 100}, "min_top1_percent = 87", "pass"),
        ({"both": 900, "gained": 2, "lost": 20, "neither": 78}, "max_accuracy_lost_points = 0", "fail"),
        ({"both": 900, "gained": 9, "lost": 11, "neither": 80}, "max_accuracy_lost_points = 2", "pass"),
        ({"both": 900, "gained": 9, "lost": 11, "neither": 80}, "max_accuracy_lost_points = 0.5", "unclear"),
    ],
)
def test_a_goal_of_a_set(counted, goal, outcome):
    assert one(of_set(**counted), goal).outcome == outcome


def test_a_set_says_how_many_photos_would_tell():
    verdict = one(of_set(both=900, gained=5, lost=15, neither=80), "max_accuracy_lost_points = 0.5")
    assert verdict.measured == "1.0 points lost (0.1 to 2.0)"
    assert verdict.reason == "About 11,000 more photos would tell, if it is as it looks."


def test_a_few_photos_without_a_loss_do_not_promise_that_one_more_would_tell():
    verdict = one(of_set(both=10), "max_accuracy_lost_points = 1")
    assert verdict.outcome == "unclear"
    assert verdict.reason == "About 1,300 more photos would tell, if it is as it looks."


def test_the_original_itself_keeps_its_answers():
    assert (
        one(of_set(both=30), "min_agreement_percent = 99", cells='variants = ["original"]').outcome == "pass"
    )


@pytest.mark.parametrize(
    ("checked", "goals", "words"),
    [
        (
            "photo",
            'variants = ["9-jpeg"]\nmax_p50_ms = 9',
            'no variant "9-jpeg". It measured original and 256-jpeg-85.',
        ),
        ("photo", 'backends = ["GPU"]\nmax_p50_ms = 9', 'no backend "GPU". It measured 8 CPU.'),
        (
            "photo",
            "min_agreement_percent = 99",
            "needs a set of photos, and this run is about one. Use same_answer",
        ),
        ("set", "same_answer = true", "is for a run of one photo. Use min_agreement_percent"),
        ("unlabelled", "min_top1_percent = 90", "has a label that the model knows"),
        ("failed", "max_p50_ms = 900", "No backend answered. All 20 requests failed"),
        ("failed", 'cells = "recommended"\nmax_p50_ms = 900', "No backend answered."),
        ("uneven", 'cells = "recommended"\nmax_p50_ms = 900', "The run recommends nothing."),
    ],
)
def test_what_can_not_be_judged_says_why_and_ends_with_2(checked, goals, words):
    cells = [*answered(times(30)), *answered(times(10), SMALL.id)]
    unlabelled = [replace(each, label=None) for each in photos(both=9)]
    checked = {
        "photo": lambda: run(cells),
        "set": lambda: of_set(both=9),
        "unlabelled": lambda: checked_run("r", report_dict(summary(unlabelled))),
        "failed": lambda: run([*failed(20), *failed(20, SMALL.id)]),
        "uneven": lambda: run(
            [*answered(times(30)), *failed(1), *answered(times(30), SMALL.id), *failed(1, SMALL.id)]
        ),
    }[checked]()
    found = judged(checked, f"[[goals]]\n{goals}")
    assert found.exit_code == 2
    assert any(words in each.reason for each in found.of("not judged")), found.verdicts


def test_the_exit_code_is_that_of_the_worst_goal_and_a_failed_one_is_worse_than_one_not_judged():
    cells = [*answered(times(30)), *answered([9.5] * 10 + [10.5] * 16, SMALL.id)]
    small = '[[goals]]\nvariants = ["256-jpeg-85"]\n'
    assert judged(run(cells), f"{small}max_p50_ms = 20").exit_code == 0
    assert judged(run(cells), f"{small}max_p50_ms = 10").exit_code == 0
    assert judged(run(cells), f'unclear = "fail"\n{small}max_p50_ms = 10').exit_code == 1
    missing = "[[goals]]\nright_answer = true\n"
    assert judged(run(cells), f"{small}max_p50_ms = 20\n{missing}").exit_code == 2
    assert judged(run(cells), f"{small}max_p50_ms = 2\n{missing}").exit_code == 1


def test_a_run_that_ended_early_is_not_a_pass():
    cells = [*answered(times(30)), *answered(times(10), SMALL.id)]
    found = judged(run(cells, state="cancelled"), "[[goals]]\nmax_p50_ms = 90")
    assert (found.exit_code, found.verdicts[-1].reason) == (2, "The run ended early (cancelled).")


def test_a_backend_that_is_not_there_is_left_out_and_named():
    cells = [*answered(times(30)), *answered(times(10), SMALL.id)]
    found = judged(run(cells, backends=(no_gpu(), backend())), "[[goals]]\nmax_p50_ms = 90")
    assert (found.exit_code, found.notes) == (0, ("Not measured: GPU.",))
    assert {each.cell for each in found.verdicts} == {"original on 8 CPU", "256-jpeg-85 on 8 CPU"}


def test_photos_of_a_set_that_could_not_be_used_are_named():
    cut = PhotoResult(30, "cut.heic", None, refused=Failure("truncated", "cut.heic ends early"))
    run_of_set = checked_run("this run", report_dict(summary([*photos(both=30), cut])))
    found = judged(run_of_set, "[[goals]]\nmax_size_bytes = 900_000_000")
    assert (found.exit_code, found.notes) == (0, ("1 photo could not be used. cut.heic ends early.",))


SLOWER = '[baseline]\nbackend = "old"\nmax_slower_percent = 2'


@pytest.mark.parametrize(("new_ms", "outcome"), [(10.0, "pass"), (10.2, "unclear"), (10.6, "fail")])
def test_a_backend_is_compared_with_another_one_of_the_same_run(new_ms, outcome):
    found = judged(two(new_ms), SLOWER)
    assert [each.cell for each in found.verdicts] == [
        "original on new",
        "256-jpeg-85 on new",
        "all 2 variants on new",
    ]
    assert {each.outcome for each in found.verdicts} == {outcome}


def test_what_slows_the_machine_for_both_backends_is_no_difference():
    slow = [1 + 0.5 * (repeat > 30) for repeat in range(64)]  # from half time on, half as much again
    found = [
        each
        for name in ("old", "new")
        for of in (original(), SMALL)
        for each in answered(
            [a * b for a, b in zip(times(10, 64, f"{name} {of.id}"), slow, strict=True)], of.id, name
        )
    ]
    verdicts = judged(run(found, backends=(backend("old"), backend("new"))), SLOWER).verdicts
    assert {each.outcome for each in verdicts} == {"pass"}


@pytest.mark.parametrize(("order", "is_noted"), [("auto", True), ("parallel", True), ("in_turns", False)])
def test_servers_that_worked_on_one_machine_at_the_same_time_are_noted(order, is_noted):
    servers = tuple(backend(name, address=f"localhost:{port}") for port, name in enumerate(("old", "new")))
    cells = [each for name in ("old", "new") for each in answered(times(10), backend_name=name)]
    checked = run(cells, variants=(original(),), backends=servers, plan=Plan(order=order))
    notes = " ".join(judged(checked, SLOWER).notes)
    assert ("old and new worked on one machine at the same time" in notes) is is_noted


def test_too_few_repeats_are_not_clear_for_each_variant_and_for_all_of_them():
    found = judged(two(10.0, count=5), SLOWER)
    assert [each.outcome for each in found.verdicts] == ["unclear"] * 3
    assert found.exit_code == 0


def test_backends_that_were_measured_one_after_another_can_not_be_compared():
    found = judged(two(12.0, plan=Plan(sizes_px=(256,), order="one_at_a_time")), SLOWER)
    assert {each.outcome for each in found.verdicts} == {"unclear"}
    assert "one after another" in found.verdicts[0].reason


def earlier_runs(count: int, spread_percent: float, middle_ms: float = 10.0):
    """Reports of the same thing that differ from run to run, as evenly as can be."""
    places = [2 * place / max(count - 1, 1) - 1 for place in range(count)]
    samples = [times(middle_ms * (1 + spread_percent / 100 * at), 64, f"{at}") for at in places]
    return [
        run([*answered(times(30)), *answered(each, SMALL.id)], name=f"{place}.json")
        for place, each in enumerate(samples)
    ]


def against(checked, text, *earlier):
    block = f'[baseline]\nvariants = ["256-jpeg-85"]\n{text}'
    [verdict] = judged(checked, block, *earlier).verdicts
    return verdict


def test_reports_of_runs_that_differ_much_allow_for_it_and_those_that_do_not_do_not():
    slower = run([*answered(times(30)), *answered(times(11), SMALL.id)])
    assert against(slower, "max_slower_percent = 2", *earlier_runs(10, 1)).outcome == "fail"
    found = against(slower, "max_slower_percent = 2", *earlier_runs(10, 12))
    assert found.outcome == "unclear"
    assert found.reason.startswith("More repeats don't help: runs differ from one to the next.")


def test_with_one_report_the_drift_has_to_be_told_and_is_taken_to_be_large_otherwise():
    slower = run([*answered(times(30)), *answered(times(11), SMALL.id)])
    [earlier] = earlier_runs(1, 0)
    assert against(slower, "max_slower_percent = 2", earlier).outcome == "unclear"
    assert against(slower, "drift_percent = 1\nmax_slower_percent = 2", earlier).outcome == "fail"


def test_bytes_and_answers_are_compared_with_the_last_report():
    now = run([*answered(times(30)), *answered(times(10), SMALL.id, prediction=answer(TIGER))])
    heavier = replace(SMALL, size_bytes=6000)
    then = run(
        [*answered(times(30)), *answered(times(10), SMALL.id)],
        variants=(original(), heavier),
        name="old.json",
    )
    assert against(now, "max_larger_percent = 10", then).outcome == "fail"
    assert against(now, "max_larger_percent = 15", then).outcome == "pass"
    found = against(now, "same_answer = true", then)
    assert (found.outcome, found.measured) == ("fail", "tiger cat (41 %); tabby (71 %) in the baseline")


def test_accuracy_is_compared_with_a_report_of_the_same_set():
    then = of_set(both=900, neither=100)
    for right, outcome in ((900, "pass"), (890, "unclear"), (800, "fail")):
        now = of_set(both=right, neither=1000 - right)
        assert against(now, "max_accuracy_lost_points = 3", then).outcome == outcome


def test_backends_of_a_set_are_compared_photo_by_photo():
    counted = checked_run(
        "r",
        report_dict(summary(photos(both=90, neither=10, on=("old", "new")), backend_names=("old", "new"))),
    )
    found = judged(
        counted, '[baseline]\nbackend = "old"\nmax_accuracy_lost_points = 0\nmax_slower_percent = 2'
    )
    by_goal = {(each.cell, each.goal.partition(" at")[0]): each for each in found.verdicts}
    lost = by_goal["256-jpeg-85 on new", "accuracy"]
    assert (lost.outcome, lost.measured) == ("unclear", "0.0 points lost (-3.5 to 3.5)")
    assert by_goal["256-jpeg-85 on new", "p50"].outcome == "fail"  # twice as long


def test_another_photo_is_no_baseline():
    now = run([*answered(times(30)), *answered(times(10), SMALL.id)])
    other = run([*answered(times(30))], source=source(sha256="0" * 64, name="dog.jpg"), name="dog.json")
    with pytest.raises(
        NotComparable, match=r"dog\.json is about other photos: dog\.jpg, and this run is about cat\.jpg"
    ):
        judged(now, "[baseline]\nmax_slower_percent = 2", other)
    namesake = run([*answered(times(30))], source=source(sha256="0" * 64), name="old.json")
    with pytest.raises(NotComparable, match=r"another cat\.jpg, and this run is about cat\.jpg"):
        judged(now, "[baseline]\nmax_slower_percent = 2", namesake)


@pytest.mark.parametrize(
    ("text", "reports", "words"),
    [
        ("[[goals]]\nmax_p50_ms = 9", 1, "has no goals against a baseline"),
        (SLOWER, 1, 'compares with the backend "old" of the same run. Leave --baseline out'),
        ("[baseline]\nmax_slower_percent = 2", 0, "Give its report with --baseline, or name a backend"),
    ],
)
def test_budget_and_baselines_have_to_fit_together(text, reports, words):
    checked = two(10.0)
    with pytest.raises(PixelcostError) as refused:
        judged(checked, text, *[checked] * reports)
    assert words in refused.value.message


def test_a_variant_that_the_baseline_lacks_is_not_judged():
    now = run([*answered(times(30)), *answered(times(10), SMALL.id)])
    then = run([*answered(times(30))], variants=(original(),))
    assert against(now, "max_slower_percent = 2", then).reason == "The baseline has no 256-jpeg-85 on 8 CPU."
