"""What main() changes in its process is set back after every test."""

from __future__ import annotations

import resource
import signal
from contextlib import ExitStack

import pytest


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch, tmp_path):
    """main() is a process's own: what it sets is set back. Results without --out go to the test's folder."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TF_SERVERS", raising=False)
    with ExitStack() as stack:
        for number, handler in before.items():
            stack.callback(signal.signal, number, handler)
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, files)
        yield
