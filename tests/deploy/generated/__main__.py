"""Print the score: `python -m tests.deploy.generated [count] [seed]`; without a count, of all there is."""

from __future__ import annotations

import sys
from collections import Counter

from tests.deploy.generated.mutants import chosen
from tests.deploy.generated.operators import OPERATORS
from tests.deploy.generated.score import Verdict, finder, judged, reasons, rules_for, share_known
from tests.deploy.generated.subjects import subjects
from tests.deploy.policy.exact import EXACT

LEAST_KNOWN = 0.95


def main() -> None:
    """Apply, judge, print; fails if too many are neither found nor known to be harmless."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10**9
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    found = subjects()
    for name, objects in found.items():
        assert not finder(objects, rules_for(name)), f"{name} breaks a rule before it is changed"
    table = reasons()
    verdicts = list(judged(found, chosen(found, count, seed), table))
    unexplained = [each.mutant.what for each in verdicts if not each.rule and not each.because]
    print(*sorted(unexplained), sep="\n")
    print(report(verdicts))
    silent = EXACT.keys() - {each.rule.partition(" ")[0] for each in verdicts}
    print(f"Rules of what is shipped that found nothing first: {', '.join(sorted(silent)) or 'none'}")
    if len(sys.argv) == 1:
        used = {each.because for each in verdicts}
        print(
            *(f"No mutant needs this reason: {row.where}" for row in table if row.because not in used),
            sep="\n",
        )
    sys.exit(0 if share_known(verdicts) >= LEAST_KNOWN else 1)


def report(verdicts: list[Verdict]) -> str:
    """The score by operator, and in all."""
    lines = [f"{'operator':<20}{'applied':>8}{'found':>8}{'harmless':>10}{'neither':>9}"]
    for name in (*OPERATORS, "all"):
        rows = [each for each in verdicts if name in {each.mutant.operator, "all"}]
        counts = Counter("found" if each.rule else "harmless" if each.because else "neither" for each in rows)
        lines.append(
            f"{name:<20}{len(rows):>8}{counts['found']:>8}{counts['harmless']:>10}{counts['neither']:>9}"
        )
    crashed = sum("(" in each.rule for each in verdicts)
    return "\n".join([*lines, f"{crashed} of the found ones made a rule fail instead of speak"])


if __name__ == "__main__":
    main()
