"""Rules that all that is shipped keeps, as lists of what is there. They find the generated mistakes.

Who sets other values of the chart, or adds to a kustomization, may have reasons not to keep them.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.deploy.policy import Rule
from tests.deploy.policy.exact import monitoring, named, peers, programs, shape

EXACT: Mapping[str, Rule] = {
    name: rule for part in (named, peers, shape, programs, monitoring) for name, rule in part.RULES.items()
}
