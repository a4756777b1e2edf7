"""A user's run over HTTP, from any network: python -m tests.support.deploy.sweep URL PLAN

Prints `measured N` after every measurement, and at last the report as one line of JSON.
"""

from __future__ import annotations

import json
import sys

import requests

from tests.support.processes.app_process import CAT

TIMEOUT_S = 120


def main(url: str, plan: str) -> None:
    """Send the cat, follow the events, print the report."""
    with CAT.open("rb") as photo:
        answer = requests.post(
            f"{url}/api/runs", files={"file": photo}, data={"plan": plan}, timeout=TIMEOUT_S
        )
    assert answer.status_code == 202, answer.text
    run_url = url + answer.headers["Location"]
    count = 0
    with requests.get(f"{run_url}/events", stream=True, timeout=TIMEOUT_S) as stream:
        for line in stream.iter_lines():
            if line == b"event: measurement":
                count += 1
                print(f"measured {count}", flush=True)
    print(json.dumps(requests.get(run_url, timeout=TIMEOUT_S).json()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
