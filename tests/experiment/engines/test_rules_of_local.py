"""The engine `local` follows the same rules as Ray and Spark."""

from __future__ import annotations

import pytest

from experiment.engines.choose import engine
from tests.support.engines.rules import Keeping, Spreading


@pytest.fixture
def made():
    """The engine."""
    return engine("local")


class TestLocal(Spreading, Keeping):
    """The rules of all engines."""
