"""`python -m models`, one command after another in one process: TensorFlow and Keras are imported once.

A test of what only a process of its own shows (two at once, its environment, what libraries print) starts
one itself.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import json
import os
import subprocess
import sys
import traceback
from typing import Any

from tests.support.processes.serving_process import ROOT

ANSWER = "answer: "  # before each line that is one


class CommandsProcess:
    """`module` is started with `arguments`, says that it is ready and then calls answer_commands()."""

    def __init__(self, module: str = "tests.support.models.commands", *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        # It ends when its standard input does, which is when this process ends.
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)
        atexit.register(self._process.kill)
        try:
            self._answer()
        except BaseException:  # also a test that took too long
            self._process.kill()
            raise

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """One command: its exit code, and what it printed."""
        said = [str(argument) for argument in arguments]
        print(json.dumps(said), file=self._process.stdin, flush=True)
        return subprocess.CompletedProcess(said, *self._answer())

    def _answer(self) -> Any:
        for line in self._process.stdout:
            if line.startswith(ANSWER):
                return json.loads(line.removeprefix(ANSWER))
        raise AssertionError(f"the process of the commands ended with {self._process.wait()}")


@functools.cache
def shared() -> CommandsProcess:
    """The one of this test run."""
    return CommandsProcess()


def answer_commands() -> None:
    """Run each command that standard input names, until it ends."""
    from models.__main__ import main

    print(ANSWER + json.dumps("ready"), flush=True)
    for line in sys.stdin:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                exit_code = main(json.loads(line))
            except SystemExit as end:  # argparse's
                exit_code = end.code
            except Exception:  # what a user would see as a traceback
                exit_code = 1
                traceback.print_exc()
        print(ANSWER + json.dumps([exit_code, out.getvalue(), err.getvalue()]), flush=True)


if __name__ == "__main__":
    answer_commands()
