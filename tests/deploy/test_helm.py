"""The chart, rendered by Helm's own code: the same objects as k8s/, and no values that break a rule."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiment.backends.addresses import parse_servers
from experiment.records import BackendInfo
from serving.config.text_messages import read_batching, read_models
from serving.models.config import from_proto
from tests.deploy.chart.objects import applied, plain
from tests.deploy.chart.sets import BAD, GOOD, LOOSENED, NAME
from tests.deploy.mistakes import with_queue
from tests.deploy.policy import problems
from tests.deploy.policy.objects import (
    COMPONENT,
    Cluster,
    environment,
    flags,
    labels,
    main_container,
    name_of,
    pod_of,
)
from tests.support.deploy import manifests
from tests.support.deploy.api_server import api_server
from tests.support.deploy.cluster_programs import helms
from tests.support.deploy.helm_render import CHART, dry_run, render
from tools.chart_values import described
from webapp.config import read_settings

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "helm.md"
EXAMPLES = {
    f"example {number}": yaml.safe_load(text)
    for number, text in enumerate(
        re.findall(r"^```yaml\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL), 1
    )
}


CI = {f"ci/{path.stem}": yaml.safe_load(path.read_text("utf-8")) for path in (CHART / "ci").iterdir()}


@pytest.fixture(scope="module")
def rendered() -> dict[str, Any]:
    assert not GOOD.keys() & BAD.keys()
    return render({**GOOD, **EXAMPLES, **CI, **{name: values for name, (values, _) in BAD.items()}})


def test_the_defaults_render_the_manifests_of_k8s(rendered: dict[str, Any]) -> None:
    assert sorted(plain(rendered["defaults"]), key=str) == sorted(manifests.read(), key=str)


def test_the_queue_is_that_of_the_component(rendered: dict[str, Any]) -> None:
    assert sorted(plain(rendered["queue"]), key=str) == sorted(with_queue(manifests.read()), key=str)


@pytest.mark.parametrize("name", [*GOOD, *EXAMPLES, *CI])
def test_no_values_break_a_rule(rendered: dict[str, Any], name: str) -> None:
    assert not isinstance(rendered[name], str), rendered[name]
    assert {each.rule for each in problems(rendered[name])} == LOOSENED.get(name, set()), problems(
        rendered[name]
    )


@pytest.mark.parametrize("name", BAD)
def test_bad_values_are_refused_with_the_reason(rendered: dict[str, Any], name: str) -> None:
    assert isinstance(rendered[name], str)
    assert re.search(BAD[name][1], rendered[name]), rendered[name]


def test_versions_and_labels_are_written_as_the_model_server_reads_them(rendered, tmp_path: Path) -> None:
    (file,) = written(rendered["labels"], "models.config", tmp_path)
    (model,) = from_proto(read_models(file))
    assert (model.name, str(model.base_path)) == ("inception", "/models/inception")
    assert model.labels == {"stable": 1, "canary": 2}


def test_large_numbers_are_written_as_the_app_and_the_model_server_read_them(
    rendered, tmp_path: Path
) -> None:
    objects = rendered["large numbers"]
    (web,) = Cluster(objects).workloads("web")
    given = {key: value for key, value in environment(main_container(web)).items() if value is not None}
    settings = read_settings(given, dotenv=None)
    assert (settings.max_bytes, settings.max_run_s) == (40_000_000, 90.5)
    assert parse_servers(given["TF_SERVERS"])[0].price_per_hour == 0.000001
    (model,) = from_proto(read_models(written(objects, "models.config", tmp_path)[0]))
    assert model.policy.specific == {1_700_000_000, 9_007_199_254_740_991} == set(model.labels.values())
    batching = read_batching(written(objects, "-batching.config", tmp_path)[0])
    assert (batching.max_enqueued_batches, batching.batch_timeout_micros) == (1_000_000, 10_000_000)


def test_batching_is_written_as_the_model_server_reads_it(rendered, tmp_path: Path) -> None:
    files = written(rendered["batching"], "-batching.config", tmp_path)
    assert [read_batching(file).max_batch_size for file in files] == [16] * 3
    for each in Cluster(rendered["batching"]).workloads("serving"):
        given = flags(main_container(each))
        assert given["enable_batching"] == "true"
        assert given["batching_parameters_file"] == f"/etc/pixelcost/{name_of(each)}-batching.config"


def test_new_versions_are_found_by_polling_with_and_without_batching(rendered) -> None:
    for name in ("defaults", "batching"):
        for each in Cluster(rendered[name]).workloads("serving"):
            assert flags(main_container(each))["file_system_poll_wait_seconds"] == "10"


def test_prices_reach_the_page(rendered) -> None:
    (web,) = Cluster(rendered["prices and replicas"]).workloads("web")
    (info, _over_rest) = parse_servers(environment(main_container(web))["TF_SERVERS"])
    assert (info.name, info.price_per_hour) == ("4 CPU", 0.35)


def test_prometheus_is_given_the_token_that_the_page_asks_for(rendered) -> None:
    (monitor,) = (
        each for each in Cluster(rendered["token"]).of("ServiceMonitor") if name_of(each) == "image-resizer"
    )
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "pixelcost-token", "key": "token"}


def test_the_gateway_asks_for_the_token_of_the_page(rendered) -> None:
    (gateway,) = Cluster(rendered["another queue"]).workloads("gateway")
    (token,) = (each for each in main_container(gateway)["env"] if each["name"] == "PIXELCOST_TOKEN")
    assert token["valueFrom"]["secretKeyRef"] == {"name": "pixelcost-token", "key": "token"}


def test_every_value_has_a_description_and_a_row_of_the_readme() -> None:
    rows = [row.key for row, _ in described((CHART / "values.yaml").read_text("utf-8"))]
    leaves = set(leaves_of(yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))))
    assert {leaf for leaf in leaves if not any(f"{leaf}.".startswith(f"{row}.") for row in rows)} == set()


def leaves_of(value: Any, path: str = "") -> Iterator[str]:
    """The dotted names of everything that is no map with keys."""
    if not isinstance(value, dict) or not value:
        yield path
        return
    for key, part in value.items():
        yield from leaves_of(part, f"{path}.{key}".lstrip("."))


def test_http_goes_to_the_page_and_grpc_to_a_server(rendered) -> None:
    kinds = {each["kind"]: each for each in rendered["gateway"]}
    assert kinds["HTTPRoute"]["spec"]["rules"][0]["backendRefs"] == [{"name": "image-resizer", "port": 5051}]
    assert kinds["GRPCRoute"]["spec"]["rules"][0]["backendRefs"] == [
        {"name": "tf-serving-8cpu", "port": 8500}
    ]


@pytest.mark.parametrize(
    ("name", "said", "unsaid"),
    [
        (
            "defaults",
            [
                "http://<any node>:30501",
                "Runs end with the pod",
                "Whoever reaches the page",
                "Nobody but the page",
            ],
            ["only serves", "For other clients"],
        ),
        (
            "only servers",
            [
                "The page is left out",
                "Model server 4 CPU: tf-serving-4cpu:8500 (gRPC), tf-serving-4cpu:8501 (REST)",
                "For other clients: clients.pixelcost, the pods of tf-serving-4cpu:",
                " grpc at 9000 rest at 8501",
            ],
            ["The page:", "Runs end", "It asks", "Nobody but"],
        ),
        (
            "only servers of others",
            ["It asks: KServe:flowers.models.svc:80;OVMS:10.1.2.3:9000?rest=8000&model=res%2Fnet"],
            ["Model server", "Nobody but"],
        ),
        (
            "fractions",
            ["It asks: 4 CPU:tf-serving-4cpu:8500?rest=8501\n", "only serves (measure: false)"],
            ["The page is left out"],
        ),
        ("kept runs", ["kept in the claim image-resizer, which `helm uninstall` leaves"], ["Runs end with"]),
        ("gateway", ["It is reached past the gateway too: set web.service.type to ClusterIP"], ["any node"]),
    ],
)
def test_the_notes_say_what_was_installed(rendered, name: str, said: list[str], unsaid: list[str]) -> None:
    with api_server(rendered[name]) as address:
        notes = dry_run(helms()[0], address, GOOD[name])["info"]["notes"]
    for words in (*said, "helm test pixelcost --namespace pixelcost"):
        assert words in notes, notes
    for words in unsaid:
        assert words not in notes, notes


def test_helm_test_asks_the_page_and_every_server_and_says_who_does_not_answer(rendered) -> None:
    (pod,) = Cluster(rendered["an old image"]).of("Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod["spec"]["containers"]
    assert environment(container)["URLS"].split() == [
        "http://image-resizer:5051/healthz",
        "http://image-resizer:5051/readyz",
        "http://tf-serving-4cpu:8501/v1/models/inception/metadata",
        "tcp://serving:8500",
    ]
    with api_server([]) as address, socket.create_server(("127.0.0.1", 0)) as server:
        grpc = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        done = asked(container, f"{address}/version {grpc}")
        assert (done.returncode, done.stdout.count("answers")) == (0, 2), done.stderr
        refused = asked(container, f"{grpc} {address}/v1/models/inception/metadata")
    assert refused.returncode == 1
    assert "/v1/models/inception/metadata does not answer: HTTP Error 404" in refused.stderr


def asked(container: dict[str, Any], urls: str) -> subprocess.CompletedProcess[str]:
    """The test's own command, which here waits for nobody."""
    command = [sys.executable, *container["command"][1:]]
    given = {"URLS": urls, "PATIENCE_S": "0"}
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)


def test_the_pod_of_helm_test_passes_the_policies_that_the_page_passes(rendered) -> None:
    objects = rendered["default deny"]
    (pod,) = Cluster(objects).of("Pod")
    carried = labels(pod).items()
    (ask_servers,) = (peer["podSelector"]["matchLabels"].items() for peer in PAGE)
    assert ask_servers <= carried
    assert carried >= {"app": "pixelcost-test"}.items()
    (policy,) = [each for each in Cluster(objects).of("NetworkPolicy") if name_of(each) == "pixelcost-test"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= carried
    service = one(objects, "Service", "image-resizer")["spec"]["selector"]
    assert not service.items() <= carried  # it must never answer in the page's place


def one(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in Cluster(applied(objects)).of(kind) if name_of(each) == name]
    return found


def admitted(objects: list[dict[str, Any]], name: str) -> list[tuple[Any, list[int]]]:
    """Who may come in to the pods of a policy, rule by rule: peers (None: everybody) and ports."""
    rules = one(objects, "NetworkPolicy", name)["spec"]["ingress"]
    return [(rule.get("from"), [port["port"] for port in rule["ports"]]) for rule in rules]


def called(objects: list[dict[str, Any]], name: str = "image-resizer") -> list[tuple[Any, list[int]]]:
    rules = one(objects, "NetworkPolicy", name)["spec"]["egress"]
    return [(rule.get("to"), [port["port"] for port in rule["ports"]]) for rule in rules]


def servers_of(objects: list[dict[str, Any]]) -> list[BackendInfo]:
    (web,) = Cluster(objects).workloads("web")
    return parse_servers(environment(main_container(web))["TF_SERVERS"] or "")


PAGE = [{"podSelector": {"matchLabels": {COMPONENT: "web", "app.kubernetes.io/part-of": "pixelcost"}}}]
SHOP = [{"namespaceSelector": {"matchLabels": {"team": "shop"}}}]


def test_by_default_nobody_but_the_page_may_ask_a_server(rendered) -> None:
    assert admitted(rendered["defaults"], "tf-serving-1cpu") == [(PAGE, [8500, 8501])]


def test_an_exposed_server_has_a_service_of_one_address_for_the_named_clients_alone(rendered) -> None:
    objects = rendered["exposed"]
    spec = one(objects, "Service", "clients")["spec"]
    assert (spec["type"], spec["selector"]) == ("ClusterIP", {"app": "tf-serving-1cpu"})
    assert [(each["name"], each["port"], each["targetPort"]) for each in spec["ports"]] == [
        ("grpc", 8500, "grpc"),
        ("rest", 8501, "rest"),
    ]
    assert admitted(objects, "tf-serving-1cpu") == [(PAGE, [8500, 8501]), (SHOP, [8500, 8501])]
    assert admitted(objects, "tf-serving-8cpu") == [(PAGE, [8500, 8501])]
    assert one(objects, "Service", "tf-serving-1cpu")["spec"]["clusterIP"] == "None"
    assert servers_of(objects) == servers_of(rendered["defaults"])


def test_prometheus_does_not_count_an_exposed_server_twice(rendered) -> None:
    objects = rendered["only servers"]
    for monitor in Cluster(objects).of("ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        found = [name_of(each) for each in Cluster(objects).of("Service") if wanted <= labels(each).items()]
        assert "clients" not in found


def test_an_exposed_server_keeps_the_port_of_old_clients_and_no_port_of_a_protocol_that_is_not_offered(
    rendered,
) -> None:
    objects = rendered["only servers"]
    (grpc, rest) = one(objects, "Service", "clients")["spec"]["ports"]
    assert (grpc["port"], grpc["targetPort"], rest["port"]) == (9000, "grpc", 8501)
    assert admitted(rendered["exposed by gateway"], "tf-serving-1cpu")[1] == (
        [
            {"namespaceSelector": {"matchLabels": {NAME: "gateways"}}},
            {"podSelector": {"matchLabels": {"gateway.networking.k8s.io/gateway-name": "own"}}},
        ],
        [8500, 8501],
    )


def test_an_exposed_server_at_nodes_sees_its_clients_addresses(rendered) -> None:
    spec = one(rendered["exposed at nodes"], "Service", "clients")["spec"]
    assert (spec["type"], spec["externalTrafficPolicy"]) == ("NodePort", "Local")
    assert [port.get("nodePort") for port in spec["ports"]] == [None, 30900]
    balanced = one(rendered["exposed by a load balancer"], "Service", "clients")
    assert balanced["spec"]["loadBalancerSourceRanges"] == ["192.0.2.0/24"]
    assert balanced["metadata"]["annotations"].popitem()[1] == "internal"


def test_from_outside_an_exposed_server_answers_predictions_and_status_and_never_reloads(rendered) -> None:
    objects = rendered["exposed by gateway"]
    status = {"service": "tensorflow.serving.ModelService", "method": "GetModelStatus"}
    matches = [
        {"method": {"service": "tensorflow.serving.PredictionService"}},
        {"method": status},
    ]
    (rule,) = one(objects, "GRPCRoute", "clients")["spec"]["rules"]
    assert (rule["matches"], rule["backendRefs"]) == (matches, [{"name": "clients", "port": 8500}])
    (page_rule,) = one(rendered["gateway"], "GRPCRoute", "tf-serving-8cpu")["spec"]["rules"]
    assert page_rule["matches"] == matches
    (rule,) = one(objects, "HTTPRoute", "clients")["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/v1/models"}}]
    assert (rule["timeouts"], rule["backendRefs"]) == ({"request": "60s"}, [{"name": "clients", "port": 80}])
    objects = rendered["exposed by ingress"]
    grpc, rest = one(objects, "Ingress", "clients-grpc"), one(objects, "Ingress", "clients-rest")
    paths = grpc["spec"]["rules"][0]["http"]["paths"]
    assert {(each["path"], each["pathType"]) for each in paths} == {
        ("/tensorflow.serving.PredictionService", "Prefix"),
        ("/tensorflow.serving.ModelService/GetModelStatus", "Exact"),
    }
    assert {each["backend"]["service"]["port"]["name"] for each in paths} == {"grpc"}
    assert grpc["metadata"]["annotations"] == {"nginx.ingress.kubernetes.io/backend-protocol": "GRPC"}
    assert "annotations" not in rest["metadata"]
    assert rest["spec"]["tls"] == [{"hosts": ["rest.example.org"], "secretName": "tls"}]
    assert [each["path"] for each in rest["spec"]["rules"][0]["http"]["paths"]] == ["/v1/models"]


def test_the_gateways_route_to_grpc_is_open_to_gateways_alone(rendered) -> None:
    gateways = [{"namespaceSelector": {"matchLabels": {NAME: "gateways"}}}]
    assert admitted(rendered["gateway"], "tf-serving-8cpu") == [(PAGE, [8500, 8501]), (gateways, [8500])]
    elsewhere = [{"namespaceSelector": {"matchLabels": {NAME: "envoy"}}}]
    assert admitted(rendered["gateway elsewhere"], "tf-serving-8cpu")[1] == (elsewhere, [8500])


def test_named_peers_may_ask_the_servers_directly(rendered) -> None:
    shop = [{"podSelector": {"matchLabels": {"app": "shop"}}}]
    for name in ("tf-serving-gpu", "tf-serving-1cpu", "tf-serving-8cpu"):
        assert admitted(rendered["servers asked directly"], name)[1] == (shop, [8500, 8501])


def test_servers_of_others_are_asked_where_they_are_and_nobody_else(rendered) -> None:
    objects = rendered["only servers of others"]
    assert Cluster(applied(objects)).workloads("serving") == []
    named = {each.name: (each.address, each.model, each.price_per_hour) for each in servers_of(objects)}
    assert named["OVMS"] == ("10.1.2.3:9000", "res/net", 0.5)
    assert named["OVMS over REST"][0] == "10.1.2.3:8000"
    assert named["v6"][0] == "[fd00::1]:9000"
    *others, names = called(objects)
    assert others == [
        ([{"namespaceSelector": {"matchLabels": {NAME: "models"}}}], [8080, 9000]),
        ([{"ipBlock": {"cidr": "10.1.2.3/32"}}], [9000, 8000]),
        ([{"ipBlock": {"cidr": "fd00::1/128"}}], [9000]),
        ([{"podSelector": {}}], [8500]),
        ([{"ipBlock": {"cidr": "192.0.2.0/24"}}], [443]),
    ]
    assert names[1] == [53, 53]


def test_servers_without_the_page_leave_nothing_of_it(rendered) -> None:
    objects = applied(rendered["only servers"])
    page = [each for each in objects if each["metadata"]["labels"].get(COMPONENT) == "web"]
    assert {each["kind"] for each in page} <= {"ServiceMonitor"}
    assert {name_of(each) for each in Cluster(objects).of("Deployment")} == {"tf-serving-4cpu"}
    assert Cluster(objects).of("PersistentVolumeClaim", "Ingress", "HTTPRoute") == []


def test_a_server_with_a_fraction_of_a_cpu_is_marked_and_not_measured(rendered) -> None:
    objects = rendered["fractions"]
    assert {each.name for each in servers_of(objects)} == {"4 CPU", "4 CPU over REST"}
    marks = {
        name_of(each): pod_of(each)["metadata"]["labels"].get("pixelcost/measure")
        for each in Cluster(objects).workloads("serving")
    }
    assert marks == {"tf-serving-4cpu": None, "tf-serving-small": "false", "x": "false"}
    small = main_container(one(objects, "Deployment", "tf-serving-small"))
    assert (small["resources"]["requests"]["cpu"], small["resources"]["limits"]["cpu"]) == ("50m", "200m")
    assert flags(small)["tensorflow_intra_op_parallelism"] == "1"
    assert main_container(one(objects, "Deployment", "x"))["resources"]["limits"]["cpu"] == "1500m"


def test_an_old_image_runs_its_own_command_with_the_variables_that_it_reads(rendered) -> None:
    server = main_container(one(rendered["an old image"], "Deployment", "serving"))
    assert (server["image"], server["command"]) == ("samnco/tf-models:serving-1.0.2", ["/serve.sh"])
    assert "args" not in server
    assert environment(server) == {
        "PORT": "8500",
        "MODEL_NAME": "inception",
        "MODEL_PATH": "/models/inception",
        "BATCHING": "--enable_batching",
    }
    assert server["livenessProbe"]["tcpSocket"] == {"port": "grpc"}
    (port,) = one(rendered["an old image"], "Service", "serving")["spec"]["ports"]
    assert port["port"] == 8500


def test_every_pod_pulls_with_the_secret_and_runs_as_the_account(rendered) -> None:
    objects = rendered["a private registry"]
    account = one(objects, "ServiceAccount", "pixelcost")
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/r"}
    assert account["automountServiceAccountToken"] is False
    specs = [pod_of(each)["spec"] for each in Cluster(objects).workloads()]
    specs += [each["spec"] for each in Cluster(objects).of("Pod")]
    assert len(specs) == 8
    for spec in specs:
        assert spec["imagePullSecrets"] == [{"name": "regcred"}]
        assert spec["serviceAccountName"] == "pixelcost"
    exists = rendered["an account that exists"]
    assert Cluster(exists).of("ServiceAccount") == []
    assert {pod_of(each)["spec"]["serviceAccountName"] for each in Cluster(exists).workloads()} == {"ours"}


def test_where_the_cluster_chooses_the_user_no_pod_names_one_and_names_are_asked_elsewhere(rendered) -> None:
    objects = rendered["openshift"]
    for each in Cluster(objects).workloads():
        context = pod_of(each)["spec"]["securityContext"]
        assert context == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    dns = [{"namespaceSelector": {"matchLabels": {NAME: "openshift-dns"}}}]
    assert called(objects)[-1] == (dns, [5353, 5353])


def test_with_ipv6_everything_listens_on_it_and_every_service_has_it(rendered) -> None:
    objects = rendered["ipv6"]
    for each in Cluster(objects).of("Service"):
        assert (each["spec"]["ipFamilies"], each["spec"]["ipFamilyPolicy"]) == (["IPv6"], "SingleStack")
    (web,) = Cluster(objects).workloads("web")
    assert environment(main_container(web))["PIXELCOST_HOST"] == "::"
    (server,) = Cluster(objects).workloads("serving")
    assert flags(main_container(server))["host"] == "::"


def test_what_pods_are_given_reaches_them_beside_what_the_chart_gives(rendered) -> None:
    objects = rendered["pods with more"]
    web, server = (
        one(objects, "Deployment", name)["spec"]["template"] for name in ("image-resizer", "tf-serving-4cpu")
    )
    for pod in (web, server):
        spec = pod["spec"]
        assert pod["metadata"]["annotations"]["linkerd.io/inject"] == "enabled"
        assert spec["nodeSelector"] == {
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "pool": "serving",
        }
        assert spec["priorityClassName"] == "high"
        assert spec["dnsConfig"] == {"options": [{"name": "ndots", "value": "1"}]}
        assert spec["hostAliases"] == [{"ip": "10.0.0.1", "hostnames": ["registry.example"]}]
        (main,) = spec["containers"]
        assert main["env"][-1]["valueFrom"] == {"configMapKeyRef": {"name": "log", "key": "level"}}
        assert main["volumeMounts"][-1]["mountPath"] == "/etc/ca"
        assert spec["volumes"][-1] == {"name": "certificates", "secret": {"secretName": "ca"}}
        wait = spec["initContainers"][-1]
        assert wait["securityContext"]["allowPrivilegeEscalation"] is False
    assert web["spec"]["tolerations"] == [{"key": "dedicated", "operator": "Exists"}]
    assert (web["metadata"]["labels"]["team"], server["metadata"]["labels"]["cost"]) == ("ml", "b")
    assert server["spec"]["tolerations"] == web["spec"]["tolerations"]
    worker = one(objects, "Deployment", "queue-worker")["spec"]["template"]["spec"]
    assert worker["tolerations"] == [{"operator": "Exists"}]


def test_objects_carry_the_recommended_labels_and_pods_those_that_no_upgrade_changes(rendered) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    steady = {"app.kubernetes.io/name": "pixelcost", "app.kubernetes.io/instance": "pixelcost"}
    version = {
        "app.kubernetes.io/version": chart["appVersion"],
        "app.kubernetes.io/managed-by": "Helm",
        "helm.sh/chart": f"pixelcost-{chart['version']}",
    }
    for each in rendered["queue"]:
        assert {**steady, **version}.items() <= each["metadata"]["labels"].items(), each
    for workload in Cluster(rendered["queue"]).workloads():
        carried = labels(pod_of(workload))
        assert steady.items() <= carried.items()
        assert not version.keys() & carried.keys()


def test_a_slice_of_a_gpu_is_asked_for_by_its_own_name(rendered) -> None:
    slice_of = one(rendered["a slice of a gpu"], "Deployment", "tf-serving-t4")
    assert main_container(slice_of)["resources"]["limits"]["nvidia.com/mig-1g.10gb"] == "1"
    assert pod_of(slice_of)["spec"]["tolerations"][0]["key"] == "nvidia.com/gpu"
    other = one(rendered["another maker's gpu"], "Deployment", "tf-serving-t4")
    assert main_container(other)["resources"]["limits"]["amd.com/gpu"] == "1"
    assert pod_of(other)["spec"]["tolerations"][0]["key"] == "amd.com/gpu"
    assert main_container(other)["command"] == ["tensorflow_model_server"]  # NVIDIA's driver is not asked for


def test_the_page_keeps_off_the_servers_nodes_where_it_can(rendered) -> None:
    (web,) = Cluster(rendered["defaults"]).workloads("web")
    (wish,) = pod_of(web)["spec"]["affinity"]["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    assert Cluster(rendered["defaults"]).selected(
        wish["podAffinityTerm"]["labelSelector"]["matchLabels"]
    ) == (Cluster(rendered["defaults"]).workloads("serving"))


def test_the_claim_of_the_runs_outlives_the_release(rendered) -> None:
    claim = one(rendered["kept runs"], "PersistentVolumeClaim", "image-resizer")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_page_believes_the_front_that_is_the_only_way_in(rendered) -> None:
    trusted = {}
    for name in ("ingress", "gateway elsewhere", "gateway", "defaults"):
        (web,) = Cluster(rendered[name]).workloads("web")
        trusted[name] = environment(main_container(web)).get("PIXELCOST_TRUST_PROXY")
    # With a NodePort beside the front anybody could say whatever a front says.
    assert trusted == {"ingress": "1", "gateway elsewhere": "1", "gateway": None, "defaults": None}


def test_only_clients_of_the_named_addresses_reach_the_page_and_it_sees_those(rendered) -> None:
    objects = rendered["default deny"]
    assert one(objects, "Service", "image-resizer")["spec"]["externalTrafficPolicy"] == "Local"
    ((peers, ports),) = admitted(objects, "image-resizer")
    assert peers == [
        {"ipBlock": {"cidr": "10.0.0.0/8"}},
        {"podSelector": {"matchLabels": {"app": "pixelcost-test"}}},
    ]
    assert ports == [5051]
    deny = one(objects, "NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ranges = one(rendered["a page behind a load balancer"], "Service", "image-resizer")["spec"]
    assert ranges["loadBalancerSourceRanges"] == ["192.0.2.0/24"]


def test_the_page_calls_its_database_and_what_else_is_named_where_they_are(rendered) -> None:
    database = [{"podSelector": {"matchLabels": {"app": "postgres"}}}]
    assert (database, [5432]) in called(rendered["a database in its place"])
    assert (None, [5432]) not in called(rendered["a database in its place"])
    collector = [{"podSelector": {"matchLabels": {"app": "otel"}}}]
    assert (collector, [4317]) in called(rendered["the page calls a collector"])


def test_keda_scales_by_seconds_in_flight_of_one_server_over_four_intervals(rendered) -> None:
    (trigger,) = one(rendered["keda"], "ScaledObject", "tf-serving-4cpu")["spec"]["triggers"]
    assert trigger["metadata"]["query"] == (
        'sum(rate({__name__=":tensorflow:serving:request_latency_sum", namespace="pixelcost", '
        'service="tf-serving-4cpu"}[120s])) / 1e6'
    )
    slow = one(rendered["keda that reads rarely"], "ScaledObject", "tf-serving-4cpu")["spec"]
    assert "[240s]" in slow["triggers"][0]["metadata"]["query"]
    assert slow["triggers"][0]["authenticationRef"] == {"name": "prometheus"}
    assert slow["fallback"] == {"failureThreshold": 3, "replicas": 2}


def test_prometheus_reads_each_server_at_the_path_of_its_metrics(rendered) -> None:
    (endpoint,) = one(rendered["monitoring"], "ServiceMonitor", "tf-serving")["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("rest", "/monitoring/prometheus/metrics")


def test_the_ingress_leads_to_the_port_of_the_page(rendered) -> None:
    (rule,) = one(rendered["ingress"], "Ingress", "image-resizer")["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": "image-resizer", "port": {"name": "http"}}


def test_the_route_to_the_page_never_ends_a_stream_of_events(rendered) -> None:
    (rule,) = one(rendered["gateway"], "HTTPRoute", "image-resizer")["spec"]["rules"]
    assert rule["timeouts"] == {"request": "0s"}


def configuration(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The ConfigMap of the servers; that of Grafana's dashboard is another."""
    (config,) = [each for each in Cluster(objects).of("ConfigMap") if "dashboard" not in name_of(each)]
    return config


def test_a_changed_configuration_starts_new_servers(rendered) -> None:
    sums = set()
    for name in ("labels", "batching", "monitoring"):
        server = pod_of(Cluster(rendered[name]).workloads("serving")[0])
        config = configuration(rendered[name])
        sums.add(server["metadata"]["annotations"]["checksum/config"])
        assert server["spec"]["volumes"][-1]["configMap"] == {"name": name_of(config)}
    assert len(sums) == 3


@pytest.mark.parametrize("name", ["token", "another queue", "postgresql"])
def test_a_missing_secret_keeps_a_pod_from_starting(rendered, name: str) -> None:
    asked = [
        each["valueFrom"]["secretKeyRef"]
        for _, _, container in Cluster(rendered[name]).containers()
        for each in container.get("env", ())
        if "valueFrom" in each
    ]
    assert asked
    assert [each for each in asked if each.get("optional")] == []


def written(objects: list[dict[str, Any]], ending: str, folder: Path) -> list[Path]:
    """The files of a ConfigMap whose names end so, as a pod would see them."""
    for name, text in configuration(objects)["data"].items():
        (folder / name).write_text(text, "utf-8")
    return sorted(folder.glob(f"*{ending}"))
