"""Two hundred broken and odd files through real HTTP into the real timing process."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from experiment.errors import IMAGE_CODES
from tests.support.broken_files import broken_files
from tests.support.odd_photos import encoded, photo
from tests.support.processes.web_process import WebProcess, web_process
from tests.support.scripted_server import always, good_answer, grpc_server
from webapp.worker.process import WORKER_COMMAND

QUICK = json.dumps({"sizes_px": [16], "formats": ["jpeg"], "repeats": 1, "warmups": 0})
UPLOAD_CODES = {"too_large", "no_photos"}  # cut off while it arrives; a ZIP file with no photo in it
COUNT = 200
MARGIN_MB = 20  # of the web process's memory, after against before
SENDERS = 2


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    with grpc_server(always(good_answer())) as address:
        environ = {"TF_SERVERS": f"Quick:{address}", "PIXELCOST_QUEUE_LENGTH": "50"}
        with web_process(tmp_path_factory.mktemp("web"), worker_command=WORKER_COMMAND, **environ) as web:
            yield web


def send(web: WebProcess, file: tuple[str, bytes, str]) -> tuple[str, int, str]:
    """What is wrong with the file, the status, and the code of the refusal or the state of the run."""
    name, data, why = file
    answer = web.post(name, QUICK, data)
    if answer.status_code != 202:
        return why, answer.status_code, answer.json()["code"]
    return why, 202, web.finished(answer.json()["id"])["state"]


@pytest.mark.slow
def test_two_hundred_broken_files_harm_nothing(web: WebProcess) -> None:
    send(web, ("legal.jpg", encoded(photo(), "JPEG"), "nothing"))
    worker, before_mb = web.worker_pid, web.memory_mb()
    with ThreadPoolExecutor(SENDERS) as senders:
        outcomes = list(senders.map(lambda file: send(web, file), broken_files(seed=1, count=COUNT)))
    assert len(outcomes) == COUNT
    assert [outcome for outcome in outcomes if outcome[1] >= 500] == []
    assert {code for _, status, code in outcomes if status != 202} <= {*IMAGE_CODES, *UPLOAD_CODES}
    assert {state for _, status, state in outcomes if status == 202} == {"done"}
    statuses = Counter(status for _, status, _ in outcomes)
    assert statuses[202] > 20, statuses  # odd photos are photos
    assert statuses[415] + statuses[422] + statuses[413] > 60, statuses
    assert web.worker_pid == worker, "the web process was lost"
    assert "Traceback" not in web.log()
    assert web.memory_mb() < before_mb + MARGIN_MB


def test_the_log_tells_each_refusal_by_its_code(web: WebProcess) -> None:
    send(web, ("notes.pdf", b"%PDF-1.7", "PDF"))
    lines = [json.loads(line) for line in Path(web.log_path).read_text().splitlines() if line.startswith("{")]
    assert lines[-1]["problem"] == "not_an_image"
