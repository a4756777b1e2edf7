"""axe-core on a page: what it holds against it. The page's policy stays as strict as it is."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tests.support.processes.app_process import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

STANDARDS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
RUN = """
async (standards) => {
  const found = await axe.run(document, { runOnly: standards, resultTypes: ["violations"] });
  const why = ({ any, all, none }) => [...any, ...all, ...none].map((check) => check.message).join("; ");
  const line = (id, node) => `${id}: ${node.target} ${why(node)}`;
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => line(id, node)));
}
"""


@cache
def _script() -> str:
    return (ROOT / "tests" / "vendor" / "axe.min.js").read_text("utf-8")


def violations(page: Page) -> list[str]:
    """One line for each element and rule."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(_script())
    return page.evaluate(RUN, STANDARDS)
