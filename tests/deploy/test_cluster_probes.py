"""The probes of the manifests, asked of real processes: ready means AVAILABLE, alive does not.

TensorFlow Serving itself is not at hand; the embedded server, which has its REST API, stands in for it.
"""

from __future__ import annotations

import time
from pathlib import Path

import requests

from tests.deploy.policy.objects import Cluster, flags, main_container
from tests.support.deploy import manifests
from tests.support.processes.serving_process import start_server
from tests.support.processes.web_process import web_process


def path_of(probe: str, component: str) -> str:
    (path,) = {
        main_container(each)[probe]["httpGet"]["path"]
        for each in Cluster(manifests.read()).workloads(component)
    }
    return str(path)


def first_answer(url: str) -> int:
    """The status of the first answer that comes at all."""
    for _ in range(2000):
        try:
            return requests.get(url, timeout=10).status_code
        except requests.ConnectionError:
            time.sleep(0.005)
    raise AssertionError(f"nobody answers at {url}")


def test_a_model_server_is_alive_while_it_loads_and_ready_when_it_has_loaded() -> None:
    (cpu,) = (each for each in Cluster(manifests.read("manifest-serving-1cpu.yaml")).workloads("serving"))
    given = flags(main_container(cpu))
    ours = {"port", "rest_api_port", "model_name", "model_base_path"}  # what start_server() gives itself
    more = [f"--{flag}={value}" for flag, value in given.items() if flag not in ours]
    with start_server(*more, wait=False) as server:
        base = server.rest_url.partition("/v1/")[0]
        assert first_answer(base + path_of("readinessProbe", "serving")) != 200
        assert first_answer(base + path_of("livenessProbe", "serving")) == 200
        server.wait_ready()
        assert first_answer(base + path_of("startupProbe", "serving")) == 200
        assert first_answer(base + path_of("readinessProbe", "serving")) == 200


def test_the_page_is_ready_although_no_model_server_answers(tmp_path: Path) -> None:
    with web_process(tmp_path) as web:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert web.get(path_of(probe, "web")).status_code == 200
        assert web.get("/readyz").status_code == 503
