"""The judgement as Markdown, as it is shown in a job's summary and in pull requests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from experiment.check.findings import ALARM_SHARE
from experiment.check.judge import Judgement, Outcome, Verdict
from experiment.wording import count

HEADINGS = {0: "all goals are kept", 1: "a goal is missed", 2: "a goal could not be judged"}
NONE_MISSED = "no goal is missed"  # but some are not clear
WORDS: dict[Outcome, str] = {
    "pass": "pass",
    "fail": "**FAIL**",
    "unclear": "not clear",
    "not judged": "**not judged**",
}
MOST_OPEN = 20  # kept goals in sight; more are folded
_MARKS = re.compile(r"([\\`*_{}\[\]<>|#~])")


def markdown(judgement: Judgement) -> str:
    """A heading, a sentence, and a table with a row for each goal on each cell, missed ones first."""
    return "\n".join(_lines(judgement)) + "\n"


def sentence(judgement: Judgement) -> str:
    """ "1 of 9 goals failed, 2 are not clear."."""
    verdicts = judgement.verdicts
    parts = [f"{len(judgement.of('fail'))} of {count(len(verdicts), 'goal')} failed"]
    if unclear := judgement.of("unclear"):
        counted = " and count as failed" if judgement.budget.unclear == "fail" else ""
        parts.append(f"{len(unclear)} {'is' if len(unclear) == 1 else 'are'} not clear{counted}")
    if missing := judgement.of("not judged"):
        parts.append(f"{len(missing)} could not be judged")
    return f"{', '.join(parts)}."


def _lines(judgement: Judgement) -> Iterator[str]:
    is_open = not judgement.exit_code and judgement.of("unclear")
    yield f"## Pixelcost: {NONE_MISSED if is_open else HEADINGS[judgement.exit_code]}"
    yield ""
    photos, budget = _plain(judgement.run.photo_words), _plain(judgement.budget.name)
    yield f"{sentence(judgement)} {photos}, judged by {budget}."
    first = [*judgement.of("fail"), *judgement.of("not judged"), *judgement.of("unclear")]
    kept = judgement.of("pass")
    is_folded = len(kept) > MOST_OPEN
    if shown := first if is_folded else [*first, *kept]:
        yield from _table(shown)
    if is_folded:
        yield from ("", f"<details><summary>{count(len(kept), 'goal')} kept</summary>")
        yield from _table(kept)
        yield from ("", "</details>")
    yield ""
    yield from (f"- {_plain(note)}" for note in judgement.notes)
    yield _how(judgement)


def _table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield from ("", "| verdict | cell | goal | measured (95 % interval) |", "| --- | --- | --- | --- |")
    for verdict in verdicts:
        measured = ". ".join(filter(None, (verdict.measured, verdict.reason)))
        row = (_plain(text) for text in (verdict.cell, verdict.goal, measured))
        yield f"| {WORDS[verdict.outcome]} | {' | '.join(row)} |"


def _how(judgement: Judgement) -> str:
    if not judgement.comparisons:
        return "- Nothing here is a sample: chance can't have changed a verdict."
    goals = judgement.comparisons
    together = f"all {goals} measured goals together (Holm)" if goals > 1 else "if nothing has changed"
    return (
        f"- A goal fails only if chance would show as much in at most {100 * ALARM_SHARE:g} of 100 checks, "
        f"{together}. It is kept if the interval is within the limit, else not clear."
    )


def _plain(text: str) -> str:
    """Names may hold anything: on one line, and nothing in it is markup."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return _MARKS.sub(r"\\\1", line)
