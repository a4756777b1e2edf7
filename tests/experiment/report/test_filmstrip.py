"""The filmstrip on top of the HTML report: which frames, what they say, and that it opens from disk."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from PIL import Image

from experiment.export.filmstrip import Filmstrip, filmstrip
from experiment.export.pictures import with_pictures
from experiment.export.report_html import report_html
from experiment.export.report_json import report_dict
from experiment.figures import figures
from experiment.figures.view import view_of
from experiment.images.thumbs import fitted, thumb
from experiment.records import BreakingPoint, Label, Report, SearchStep, Thumb
from tests.support.processes.axe import violations
from tests.support.processes.browser import visiting
from tests.support.records import answer, answered, original, report, sample_report, source, variant
from tests.support.reports import REPORTS
from tests.support.set_records import photos, summary

STEPS = (
    SearchStep(512, 85, 40_000, True, "tabby", 0.6),  # a variant has this size and quality already
    SearchStep(64, 85, 1_900, True, "tabby", 0.5),
    SearchStep(16, 85, 500, False, "tennis ball", 0.3),
    SearchStep(64, 40, 1_100, False, "lynx", 0.4),
)
POINT = BreakingPoint(
    "8 CPU", "found", "Still a tabby down to 64 px.", "tabby", False, 64, 85, 1_900, False, 5, STEPS
)


def strip_of(made: Report) -> Filmstrip:
    exported = report_dict(made)
    found = filmstrip(view_of(exported), exported)
    assert found is not None
    return found


def pictures_for(exported: dict[str, Any]) -> dict[str, Thumb]:
    """A picture for each variant and each step, of its size."""
    sizes = {row["id"]: row["size_px"] for row in exported["variants"]}
    sizes |= {step.picture_key: step.size_px for step in STEPS}
    return fitted({key: picture(min(192, size_px)) for key, size_px in sizes.items()})


def picture(side_px: int) -> Thumb:
    buffer = io.BytesIO()
    noise = Image.effect_noise((side_px, max(1, side_px * 2 // 3)), 60)
    Image.merge("RGB", (noise, Image.linear_gradient("L").resize(noise.size), noise)).save(buffer, "PNG")
    return thumb(buffer.getvalue())


def test_the_strip_goes_from_the_original_down_and_takes_in_the_steps_of_the_search() -> None:
    strip = strip_of(sample_report(("8 CPU", "1 CPU"), repeats=8, breaking_points=(POINT,)))

    assert strip.frames[0].key == "original"
    sizes = [frame.size_px for frame in strip.frames[1:]]
    assert sizes == sorted(sizes, reverse=True)
    assert [frame.key for frame in strip.frames[-3:]] == ["step-64-85", "step-64-40", "step-16-85"]
    assert "step-512-85" not in {frame.key for frame in strip.frames}
    keys = [frame.key for frame in (*strip.frames, *strip.others)]
    assert len(keys) == len(set(keys))
    assert {variant.id for variant in sample_report().variants} <= set(keys)


def test_the_answers_are_those_of_the_recommended_backend_and_the_flip_is_marked() -> None:
    small = variant(256)
    other = answer((Label("lynx", 0.7), Label("tabby", 0.1)))
    made = report(
        variants=(original(), variant(512), small),
        measurements=[
            *answered([30.0] * 6),
            *answered([20.0] * 6, variant(512).id),
            *answered([9.0] * 6, small.id, prediction=other),
        ],
    )
    strip = strip_of(made)

    assert strip.backend_name == made.recommendation.backend_name
    assert [frame.is_kept for frame in strip.frames] == [True, True, False]
    assert strip.frames[-1].answer == "lynx"
    assert strip.last_kept == strip.frames[1]
    assert [frame.is_chosen for frame in strip.frames].count(True) == 1
    page = report_html(with_pictures(report_dict(made), {"original": picture(192)}))
    assert page.count("✕ answer changed") == 1
    assert page.count("✓ same answer") == 2
    assert "The answer first changes after 512 px JPEG." in page


def test_with_a_true_label_frames_are_right_or_wrong() -> None:
    made = report(source=source(true_label="lynx"), measurements=answered([30.0] * 6))
    page = report_html(with_pictures(report_dict(made), {"original": picture(192)}))

    assert "✕ wrong answer" in page
    assert "same answer" not in page


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_without_pictures_has_no_strip(name: str) -> None:
    assert "filmstrip" not in re.sub(
        r"<style.*?</style>", "", report_html(report_dict(REPORTS[name])), flags=re.DOTALL
    )


def test_a_photo_set_has_no_strip_even_with_pictures() -> None:
    exported = report_dict(summary(photos(both=20, lost=3)))
    page = report_html(with_pictures(exported, {"original": picture(64)}))

    assert "<img" not in page.partition("</style>")[2].partition("<script")[0]


def test_jpeg_steps_join_a_strip_of_another_format_only_below_its_smallest_size() -> None:
    small = variant(256, "png", id="256-png", quality=None, size_bytes=9)
    made = report(
        variants=(original(), variant(512), small),
        measurements=[*answered([30.0] * 6), *answered([20.0] * 6, small.id)],
        breaking_points=(POINT,),
    )
    assert made.recommendation.variant_id == small.id
    strip = strip_of(made)

    assert [frame.key for frame in strip.frames] == [
        *("original", "256-png", "step-64-85", "step-64-40", "step-16-85")
    ]


def test_the_dark_figures_are_the_light_ones_with_what_differs() -> None:
    exported = report_dict(sample_report(("8 CPU",), repeats=8))
    found = re.search(r'id="figures">(.*?)</script>', report_html(exported), re.DOTALL)
    assert found
    stored = json.loads(found[1])
    expected = figures(exported, "dark")

    assert len(json.dumps(stored["dark"])) < len(json.dumps(stored["light"])) / 3
    for name, figure in expected.items():
        shown = changed(stored["light"][name], stored["dark"].get(name))
        assert shown == {key: json.loads(json.dumps(figure[key])) for key in ("data", "layout")}


def changed(base: Any, by: Any) -> Any:
    """As the page's script does it."""
    if by is None:
        return base
    if isinstance(by, list):
        return by[0]
    keyed = dict(base) if isinstance(base, dict) else dict(enumerate(base))
    made = {key: changed(value, by.get(str(key))) for key, value in keyed.items()}
    return made if isinstance(base, dict) else list(made.values())


def test_the_whole_file_with_all_its_pictures_is_below_1_600_000_bytes() -> None:
    exported = report_dict(sample_report(breaking_points=(POINT,)))
    page = report_html(with_pictures(exported, pictures_for(exported)))

    assert page.count("data:image/webp;base64,") >= len(exported["variants"])
    assert len(page.encode()) < 1_600_000
    assert '"pictures"' not in page  # they stand in the page once, not again in its JSON


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_strip_is_shown_from_disk_without_network_on_a_phone_and_to_screen_readers(
    browser: Any, tmp_path: Any, scheme: str
) -> None:
    exported = report_dict(sample_report(("8 CPU",), repeats=8, breaking_points=(POINT,)))
    path = tmp_path / "report.html"
    path.write_text(report_html(with_pictures(exported, pictures_for(exported))), "utf-8")
    with visiting(browser, "file://", color_scheme=scheme, viewport={"width": 390, "height": 800}) as visit:
        visit.page.goto(path.as_uri())
        visit.wait_until("document.querySelectorAll('.main-svg').length >= 4")
        widths = visit.page.eval_on_selector_all(
            ".filmstrip:not(details *) img", "all => all.map(one => one.naturalWidth)"
        )
        assert len(widths) > 3
        assert min(widths) > 0  # every one was decoded, under the page's own policy
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert violations(visit.page) == []
