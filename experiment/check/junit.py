"""The judgement as JUnit XML, which CI servers show as tests: a test case for each goal on each cell.

Elements and attributes are those that Jenkins' schema (junit-10.xsd) and GitLab's reader share.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from experiment.check.judge import Judgement, Verdict
from experiment.check.markdown import sentence

SUITE = "pixelcost"


def junit(judgement: Judgement) -> bytes:
    """The XML in UTF-8."""
    root = Element("testsuites", _counts(judgement))
    created_at = judgement.run.report["created_at"].removesuffix("Z")  # of the schema: without a zone
    suite = SubElement(root, "testsuite", _counts(judgement), timestamp=created_at)
    suite.set("skipped", str(_skipped(judgement)))
    properties = SubElement(suite, "properties")
    for name, value in (("photos", judgement.run.photo_words), ("budget", judgement.budget.name)):
        SubElement(properties, "property", name=name, value=_legal(value))
    for verdict in judgement.verdicts:
        _add_case(suite, verdict, is_failed=verdict in judgement.failed)
    SubElement(suite, "system-out").text = _legal("\n".join([sentence(judgement), *judgement.notes]))
    indent(root)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _counts(judgement: Judgement) -> dict[str, str]:
    return {
        "name": SUITE,
        "tests": str(len(judgement.verdicts)),
        "failures": str(len(judgement.failed)),
        "errors": str(len(judgement.of("not judged"))),
        "time": "0",
    }


def _skipped(judgement: Judgement) -> int:
    return 0 if judgement.budget.unclear == "fail" else len(judgement.of("unclear"))


def _add_case(suite: Element, verdict: Verdict, is_failed: bool) -> None:
    names = {"classname": f"{SUITE}.{verdict.cell}", "name": verdict.goal}
    case = SubElement(suite, "testcase", {key: _legal(name) for key, name in names.items()}, time="0")
    told = _legal(". ".join(filter(None, (verdict.measured, verdict.reason))))
    kind = "failure" if is_failed else {"not judged": "error", "unclear": "skipped"}.get(verdict.outcome)
    if kind is None:
        SubElement(case, "system-out").text = told
        return
    found = SubElement(case, kind, message=told)
    if kind != "skipped":
        found.set("type", verdict.outcome)
        found.text = _legal(f"{verdict.cell}: {verdict.goal}. {told}")


def _legal(text: str) -> str:
    """XML 1.0 has no control characters and no lone surrogates."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
