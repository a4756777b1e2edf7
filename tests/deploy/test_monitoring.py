"""Alerts and dashboard: they ask for metrics that are there, and are the same wherever they are installed."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import requests
import yaml

from experiment.queue.records import QueueDepth
from gateway.metrics import Metrics as GatewayMetrics
from tests.deploy.policy import problems
from tests.deploy.policy.objects import Cluster, flags, main_container, name_of
from tests.support.deploy.helm_render import render
from tests.support.processes.serving_process import start_server
from tests.support.processes.webapp_parts import NOWHERE, eventually, photo_bytes, serving
from tests.support.telemetry.metrics_page import names_and_labels
from tools.monitoring import copies
from webapp.worker.process import WORKER_COMMAND

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "deploy" / "monitoring"
ALERTS = yaml.safe_load((SOURCE / "alerts.yaml").read_text("utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((SOURCE / "dashboard.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
DOCUMENT = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
BY_PROMETHEUS = {"up": set()}  # what every target has
OF_TARGETS = {"job", "instance", "namespace", "pod", "service"}  # labels that Prometheus adds
ON = {"monitoring": {"enabled": True, "labels": {"release": "prometheus"}}}
KUBECTL, PROMTOOL = shutil.which("kubectl"), shutil.which("promtool")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Metric -> labels, of a real page after a run on a real model server, of that server, of the gateway."""
    folder = tmp_path_factory.mktemp("monitoring")
    config = folder / "monitoring.config"
    config.write_text('prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }')
    with start_server("--monitoring_config_file", str(config)) as server:
        rows = [("1 CPU", server.grpc_address, "ready"), ("gone", NOWHERE, "down")]
        keys = ("name", "address", "state")
        backends = [dict(zip(keys, row, strict=True)) | {"embedded": True, "restarts": 0} for row in rows]
        state = folder / "state.json"
        state.write_text(json.dumps({"backends": backends}))
        with serving(folder, WORKER_COMMAND, tf_servers="", embedded_state=str(state)) as app:
            client = app.test_client()
            app.extensions["pixelcost"].registry.refresh()
            plan = {"sizes_px": [32], "repeats": 1, "warmups": 1, "backend_names": ["1 CPU", "gone"]}
            photo = {"file": (io.BytesIO(photo_bytes()), "cat.png"), "plan": json.dumps(plan)}
            assert client.post("/api/runs", data=photo).status_code == 202
            eventually(
                lambda: 'finished_total{state="done"} 1.0' in client.get("/metrics").text, timeout_s=60
            )
            page = names_and_labels(client.get("/metrics").text)
        rest = server.rest_url.partition("/v1/")[0]
        text = requests.get(f"{rest}/monitoring/prometheus/metrics", timeout=10).text
    depth = QueueDepth(1, 0, 10, 100, None, 0.0, 2.0, 0)
    gateway = GatewayMetrics(lambda: depth, lambda: 0).text("")[0].decode()
    return BY_PROMETHEUS | page | names_and_labels(text) | names_and_labels(gateway)


def queries() -> Iterator[tuple[str, str, set[str]]]:
    """Where each query stands, itself, and the labels that its texts show."""
    for rule in RULES:
        texts = " ".join(rule["annotations"].values())
        yield rule["alert"], rule["expr"], set(re.findall(r"\$labels\.(\w+)", texts))
    for panel in PANELS:
        for target in panel["targets"]:
            query = target["expr"].replace("$namespace", ".*")
            yield panel["title"], query, set(re.findall(r"{{(\w+)}}", target["legendFormat"]))


def parts(node: Any) -> Iterator[Any]:
    """A node of a query and everything below it."""
    yield node
    below = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "vector_selector", "param")]
    for each in [*below, *getattr(node, "args", [])]:
        if each is not None:
            yield from parts(each)


def labels_named(node: Any) -> set[str]:
    """The labels by which a part of a query selects, groups or matches."""
    named = {matcher.name for matcher in node.matchers.matchers} if hasattr(node, "matchers") else set()
    modifier = getattr(node, "modifier", None)
    if isinstance(node, promql_parser.AggregateExpr) and modifier is not None:
        named |= set(modifier.labels)
    if isinstance(node, promql_parser.BinaryExpr) and modifier is not None and modifier.matching:
        named |= set(modifier.matching.labels)
    return named


@pytest.mark.parametrize(
    ("place", "query", "shown"),
    [pytest.param(*row, id=f"{row[0]}-{number}") for number, row in enumerate(queries())],
)
def test_a_query_asks_for_a_metric_that_is_there_with_the_labels_that_it_has(
    pages: dict[str, set[str]], place: str, query: str, shown: set[str]
) -> None:
    nodes = list(parts(promql_parser.parse(query)))
    metrics = [node.name for node in nodes if isinstance(node, promql_parser.VectorSelector)]
    assert metrics, f"{place} asks for nothing"
    assert [name for name in metrics if name not in pages] == []
    there = OF_TARGETS.union(*(pages[name] for name in metrics))
    assert set().union(*map(labels_named, nodes)) | shown <= there


def test_the_document_lists_every_metric_of_the_page(pages: dict[str, set[str]]) -> None:
    listed = DOCUMENT.partition("<!-- metrics:")[2].partition("<!-- end of metrics")[0]
    full = set(re.findall(r"`(pixelcost_\w+)`", listed))
    full |= {
        f"{first.rsplit('_', cut)[0]}{end}"
        for first, ends in re.findall(r"`(pixelcost_\w+)`((?:, `_\w+`)+)", listed)
        for end in re.findall(r"`(_\w+)`", ends)
        for cut in (1, 2)
    }
    own = {name for name in pages if re.match(r"pixelcost_(?!gateway|stage|batch|waiting)", name)}
    own = {re.sub(r"_(bucket|sum|count)$", "", name) for name in own if not name.endswith("_created")}
    assert own - full == set()
    for name in re.findall(r"^\| `(pixelcost_\w+)`", listed, re.MULTILINE):
        assert name in own, f"{name} is not on the page"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_what_happened_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"docs/monitoring.md#{rule['alert'].lower()}"
    assert f"\n### {rule['alert']}\n" in DOCUMENT


def test_every_runbook_is_of_an_alert() -> None:
    assert re.findall(r"^### (Pixelcost\w+)$", DOCUMENT, re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_every_alert_is_tried_by_prometheus_own_test() -> None:
    assert all(f'"{rule["alert"]}"' in (ROOT / TRIED).read_text("utf-8") for rule in RULES)


TRIED = "tests/deploy/alerts/alerts_test.yaml"


@pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed; Debian has it in the package prometheus"
)
@pytest.mark.parametrize(
    "arguments", [("test", "rules", TRIED), ("check", "config", "deploy/monitoring/prometheus.yaml")]
)
def test_prometheus_takes_the_rules_and_fires_when_it_should(arguments: tuple[str, ...]) -> None:
    done = subprocess.run([str(PROMTOOL), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_copies_are_those_that_the_tool_writes() -> None:
    for path, text in copies().items():
        assert path.read_text("utf-8") == text, "run: python -m tools.monitoring"


def test_every_panel_has_a_title_a_unit_an_explanation_and_its_own_place() -> None:
    places = set()
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        places.add((place["x"], place["y"]))
    assert len(places) == len(PANELS)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.fixture(scope="module")
def charts() -> dict[str, Any]:
    """What the chart renders with monitoring in several ways."""
    monitoring = ON["monitoring"]
    table = {
        "on": ON,
        "with jobs": ON | {"queue": {"enabled": True}, "web": {"tokenSecret": "pixelcost-token"}},
        "monitors only": {"monitoring": {**monitoring, "alerts": False, "dashboard": {"enabled": False}}},
        "own dashboard label": {"monitoring": {**monitoring, "dashboard": {"labels": {"grafana": "yes"}}}},
        "off": {},
        "app": {"monitoring": {"enabled": True, "labels": {"app": "x"}}},
        "no label": {"monitoring": {"enabled": True, "dashboard": {"labels": {"grafana_dashboard": 1}}}},
    }
    return render(table)


def test_the_chart_brings_the_alerts_and_the_dashboard_as_they_are(charts: dict[str, Any]) -> None:
    cluster = Cluster(charts["on"])
    (rule,) = cluster.of("PrometheusRule")
    assert rule["spec"] == ALERTS
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    (board,) = (each for each in cluster.of("ConfigMap") if name_of(each) == "pixelcost-dashboard")
    assert json.loads(board["data"]["pixelcost.json"]) == DASHBOARD
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_the_chart_leaves_out_what_is_not_wanted(charts: dict[str, Any]) -> None:
    kinds = {name: [each["kind"] for each in charts[name]] for name in ("on", "monitors only", "off")}
    assert kinds["on"].count("ServiceMonitor") == kinds["monitors only"].count("ServiceMonitor") == 2
    assert "PrometheusRule" not in kinds["monitors only"]
    assert not {"ServiceMonitor", "PrometheusRule", "ConfigMap"} & set(kinds["off"])
    assert "pixelcost-dashboard" not in map(name_of, charts["monitors only"])


def test_grafanas_sidecar_may_look_for_another_label(charts: dict[str, Any]) -> None:
    boards = [each for each in charts["own dashboard label"] if name_of(each) == "pixelcost-dashboard"]
    assert boards[0]["metadata"]["labels"]["grafana"] == "yes"


def test_the_gateway_of_the_queue_is_read_too_with_its_token(charts: dict[str, Any]) -> None:
    monitors = {name_of(each): each for each in Cluster(charts["with jobs"]).of("ServiceMonitor")}
    (endpoint,) = monitors["queue-gateway"]["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")
    assert endpoint["authorization"]["credentials"] == {"name": "pixelcost-token", "key": "token"}
    services = {name_of(each): each for each in Cluster(charts["with jobs"]).of("Service")}
    assert "http" in {port["name"] for port in services["queue-gateway"]["spec"]["ports"]}


def test_labels_that_would_stand_twice_or_are_no_texts_are_refused(charts: dict[str, Any]) -> None:
    assert "/monitoring/labels/app" in str(charts["app"])
    assert "/monitoring/dashboard/labels/grafana_dashboard" in str(charts["no label"])
    assert isinstance(charts["app"], str)
    assert isinstance(charts["no label"], str)


def server_policy(cluster: Cluster) -> Any:
    """Who may reach a model server."""
    (found,) = (each for each in cluster.of("NetworkPolicy") if name_of(each) == "tf-serving-1cpu")
    return found["spec"]["ingress"]


@pytest.mark.skipif(KUBECTL is None, reason="kubectl, which builds kustomizations, is not installed")
def test_the_component_gives_servers_their_metrics_page_and_brings_the_same_as_the_chart(
    tmp_path: Path, charts: dict[str, Any]
) -> None:
    for folder in ("k8s", "deploy/kustomize"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    mine = {"resources": ["../k8s"], "components": ["../deploy/kustomize/components/monitoring"]}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kustomization.yaml").write_text(yaml.safe_dump(mine), "utf-8")
    built = subprocess.check_output(
        [str(KUBECTL), "kustomize", str(tmp_path / "mine")], text=True, timeout=60
    )
    objects = list(yaml.safe_load_all(built))
    cluster = Cluster(objects)
    assert problems(objects) == []
    (rule,) = cluster.of("PrometheusRule")
    assert rule["spec"] == ALERTS
    maps = {name_of(each).partition("-monitoring")[0]: each["data"] for each in cluster.of("ConfigMap")}
    assert json.loads(maps["pixelcost-dashboard"]["pixelcost.json"]) == DASHBOARD
    assert "/monitoring/prometheus/metrics" in maps["pixelcost"]["monitoring.config"]
    for each in cluster.workloads("serving"):
        container = main_container(each)
        assert flags(container)["monitoring_config_file"] == "/etc/pixelcost/monitoring.config"
        assert "/etc/pixelcost" in {mount["mountPath"] for mount in container["volumeMounts"]}
    chart = {name_of(each): each["spec"] for each in Cluster(charts["on"]).of("ServiceMonitor")}
    plain = {name_of(each): each["spec"] for each in cluster.of("ServiceMonitor")}
    assert {name: plain[name] for name in chart} == chart
    assert server_policy(cluster) == server_policy(Cluster(charts["on"]))
