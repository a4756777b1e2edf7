"""Rules that all that is shipped keeps, as lists of what is there. They find the generated mistakes.

Who sets other values of the chart, or adds to a kustomization, may have reasons not to keep them.
"""

from __future__ import annotations

from tests.deploy.policy.exact import named, peers, programs, shape

PARTS = (named, peers, shape, programs)
