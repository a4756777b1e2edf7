"""What a Kubernetes API server says of itself: its version, and the kinds it knows. It holds no objects.

`kubectl create --dry-run=client` and Helm 3's `install --dry-run=client` ask for it first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

CLUSTER_WIDE = {"Namespace"}


def discovery(objects: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Path -> answer, for a cluster that knows the kinds of these objects."""
    kinds: dict[str, set[str]] = {}
    for each in objects:
        kinds.setdefault(each["apiVersion"], set()).add(each["kind"])
    groups = [
        {
            "name": version.partition("/")[0],
            "versions": [_version(version)],
            "preferredVersion": _version(version),
        }
        for version in sorted(kinds)
        if "/" in version
    ]
    answers = {
        "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
    }
    for version, names in kinds.items():
        answers[f"/{'apis' if '/' in version else 'api'}/{version}"] = {
            "kind": "APIResourceList",
            "groupVersion": version,
            "resources": [_resource(name) for name in sorted(names)],
        }
    return answers


def _version(version: str) -> dict[str, str]:
    return {"groupVersion": version, "version": version.partition("/")[2]}


def _resource(kind: str) -> dict[str, Any]:
    singular = kind.lower()
    plural = (
        singular[:-1] + "ies"
        if singular.endswith("y")
        else singular + ("es" if singular.endswith("s") else "s")
    )
    return {
        "name": plural,
        "singularName": singular,
        "kind": kind,
        "namespaced": kind not in CLUSTER_WIDE,
        "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
    }


@contextmanager
def api_server(objects: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Its address, while it answers."""
    answers = discovery(objects)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.partition("?")[0])
            body = json.dumps(found or {"kind": "Status", "code": 404}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
