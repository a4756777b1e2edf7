"""LoadGen's side of a comparison: python -m loadtest.cross_check.loadgen_child '{"scenario": "Server", ...}'

Sends LoadGen's queries over gRPC and prints one JSON line: failures, when the first query was sent
(seconds since the epoch), and each query in seconds after it. The facts
are those of loadgen.Asked, and `folder` for LoadGen's own files.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import mlperf_loadgen as loadgen

from experiment.protocol import PREDICT

WARMUPS = 3
TIMEOUT_S = 60.0
LATENCY_LIMIT_NS = 10**10  # only decides about VALID, which is not asked here


class Sut:
    """The system under test, in LoadGen's words: a query in, a gRPC call, "complete" when it is answered."""

    def __init__(self, address: str, body: bytes):
        channel = grpc.insecure_channel(address)
        self._predict = channel.unary_unary(PREDICT)
        self._body = body
        self._guard = threading.Lock()
        self.sent_s: list[float] = []
        self.messages: list[str] = []  # of failures

    def warm_up(self) -> None:
        """Connect, and send requests that do not count."""
        for _ in range(WARMUPS):
            self._predict(self._body, timeout=TIMEOUT_S)

    def issue(self, queries: Sequence[Any]) -> None:
        """Called by LoadGen at the times of its schedule."""
        for query in queries:
            self.sent_s.append(time.perf_counter())
            call = self._predict.future(self._body, timeout=TIMEOUT_S)
            call.add_done_callback(lambda call, query_id=query.id: self._done(call, query_id))

    def _done(self, call: Any, query_id: int) -> None:
        loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(query_id, 0, 0)])
        if call.code() is not grpc.StatusCode.OK:
            with self._guard:
                self.messages.append(f"{call.code().name}: {call.details()}")


def main() -> None:
    """One test."""
    facts = json.loads(sys.argv[1])
    sut = Sut(facts["address"], Path(facts["body"]).read_bytes())
    sut.warm_up()
    handle = loadgen.ConstructSUT(sut.issue, lambda: None)
    library = loadgen.ConstructQSL(1, 1, lambda samples: None, lambda samples: None)
    loadgen.StartTestWithLogSettings(handle, library, _settings(facts), _logs(facts["folder"]))
    first_s = sut.sent_s[0]
    started_at = time.time() - (time.perf_counter() - first_s)
    told = {
        "failures": len(sut.messages),
        "message": sut.messages[0] if sut.messages else None,
        "started_at": started_at,
        "sent_s": [sent - first_s for sent in sut.sent_s],
    }
    sys.stdout.write(json.dumps(told) + "\n")


def _settings(facts: dict[str, Any]) -> Any:
    settings = loadgen.TestSettings()
    settings.scenario = getattr(loadgen.TestScenario, facts["scenario"])
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_query_count = settings.max_query_count = facts["requests"]
    settings.min_duration_ms = 0
    settings.server_target_qps = settings.offline_expected_qps = facts["rate_per_s"]
    settings.server_target_latency_ns = LATENCY_LIMIT_NS
    settings.schedule_rng_seed = facts["seed"]
    return settings


def _logs(folder: str) -> Any:
    output = loadgen.LogOutputSettings()
    output.outdir = folder
    output.copy_summary_to_stdout = False
    logs = loadgen.LogSettings()
    logs.log_output = output
    logs.enable_trace = False
    return logs


if __name__ == "__main__":
    main()
