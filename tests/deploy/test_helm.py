"""The chart, rendered by Helm's own code: the same objects as k8s/, and no values that break a rule."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiment.backends.addresses import parse_servers
from serving.config.text_messages import read_batching, read_models
from serving.models.config import from_proto
from tests.deploy.mistakes import with_queue
from tests.deploy.policy import problems
from tests.deploy.policy.objects import Cluster, environment, flags, main_container, name_of
from tests.support.deploy import manifests
from tests.support.deploy.helm_render import CHART, render
from webapp.config import read_settings

CPU = {"name": "4 CPU", "service": "tf-serving-4cpu", "device": "cpu", "cpu": 4, "memory": "4Gi"}
GPU = {"name": "T4", "service": "tf-serving-t4", "device": "gpu", "cpu": 6, "memory": "8Gi", "gpus": 1}
CLAIM: dict[str, Any] = {"source": "claim", "claim": {"name": "models"}}
GATEWAY = {"enabled": True, "parentRefs": [{"name": "front", "namespace": "gateways"}]}
DIGEST = "sha256:" + "0" * 64

GOOD: dict[str, dict[str, Any]] = {
    "defaults": {},
    "one backend": {"backends": [CPU]},
    "prices and replicas": {"backends": [{**CPU, "replicas": 3, "pricePerHour": 0.35}]},
    "embedded": {"backends": [{**CPU, "server": "embedded"}]},
    "embedded on a gpu": {
        "backends": [{**GPU, "server": "embedded", "image": {"repository": "own", "tag": "1-gpu"}}]
    },
    "own gpu nodes": {
        "backends": [
            {
                **GPU,
                "nodeSelector": {"gpu": "t4", "kubernetes.io/arch": "amd64"},
                "runtimeClassName": "nvidia",
                "tolerations": [],
            }
        ]
    },
    "own image": {"backends": [{**CPU, "image": {"repository": "registry.example/tf", "tag": "avx512"}}]},
    "digests": {
        "serving": {"image": {"repository": "tensorflow/serving", "digest": DIGEST}},
        "backends": [CPU],
    },
    "claim": {"model": {"source": "claim", "claim": {"name": "models", "subPath": "inception"}}},
    "other model": {"model": {"name": "resnet", "signature": "serving_default", "input": "image_bytes"}},
    "labels": {"model": {**CLAIM, "versions": [1, 2], "labels": {"stable": 1, "canary": 2}}},
    "batching": {"model": {"batching": {"enabled": True, "maxBatchSize": 16}}},
    "token": {"web": {"tokenSecret": "pixelcost-token"}, "monitoring": {"enabled": True}},
    "postgresql": {"web": {"replicas": 3, "database": {"secret": "pixelcost-database"}}},
    "kept runs": {"web": {"persistence": {"enabled": True, "storageClass": "fast"}}},
    "existing claim": {"web": {"persistence": {"enabled": True, "existingClaim": "runs"}}},
    "ingress": {
        "host": "pixelcost.example.org",
        "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a/b": "c"}},
        "web": {"service": {"type": "ClusterIP"}},
    },
    "gateway": {
        "host": "pixelcost.example.org",
        "gateway": {**GATEWAY, "grpc": {"enabled": True, "host": "grpc.example.org"}},
    },
    "hpa": {"backends": [{**CPU, "autoscaling": {"kind": "hpa", "max": 4}}]},
    "keda": {
        "monitoring": {"enabled": True},
        "backends": [
            {**CPU, "autoscaling": {"kind": "keda", "max": 4, "prometheus": "http://prometheus:9090"}}
        ],
    },
    "monitoring": {"monitoring": {"enabled": True, "labels": {"release": "prometheus"}}},
    "default deny": {
        "networkPolicy": {"defaultDeny": True, "webFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    },
    "large numbers": {
        "web": {"env": {"PIXELCOST_MAX_BYTES": 40_000_000, "PIXELCOST_MAX_RUN": 90.5}},
        "model": {
            **CLAIM,
            "versions": [1_700_000_000, 9_007_199_254_740_991],
            "labels": {"stable": 1_700_000_000, "canary": 9_007_199_254_740_991},
            "batching": {"enabled": True, "maxEnqueuedBatches": 1_000_000, "batchTimeoutMicros": 10_000_000},
        },
        "backends": [{**CPU, "pricePerHour": 0.000001}],
    },
    "metrics of a page that few reach": {
        "monitoring": {"enabled": True},
        "networkPolicy": {"webFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
    },
    "names that YAML takes for something else": {
        "host": "123",
        "ingress": {"enabled": True, "tlsSecret": "1e3", "className": "no"},
        "web": {
            "tokenSecret": "123",
            "persistence": {"enabled": True, "storageClass": "true", "existingClaim": "0"},
        },
        "model": {"name": "123", "source": "claim", "claim": {"name": "1e3", "subPath": "0"}},
        "backends": [
            {**CPU, "name": "null", "service": "null", "runtimeClassName": "true"},
            {**CPU, "name": 'a "b" \\ c: {{ d }}', "service": "y"},
        ],
    },
    "gateway names that YAML takes for something else": {
        "host": "true",
        "backends": [{**CPU, "service": "true"}],
        "gateway": {**GATEWAY, "grpc": {"enabled": True, "host": "no", "backend": "true"}},
        "monitoring": {"enabled": True},
        "networkPolicy": {"monitoringNamespace": "1"},
        "web": {"replicas": 2, "database": {"secret": "2", "key": "3"}, "tokenSecret": "4"},
    },
    "settings": {"web": {"env": {"PIXELCOST_KEEP_RUNS": 50, "PIXELCOST_LOG_LEVEL": "debug"}}},
    "queue": {"queue": {"enabled": True}},
    "another queue": {
        "web": {"tokenSecret": "pixelcost-token"},
        "backends": [CPU],
        "networkPolicy": {"defaultDeny": True},
        "queue": {
            "enabled": True,
            "stream": "photos:2026",
            "backend": "tf-serving-4cpu",
            "workers": {"min": 1, "max": 20, "jobsEach": 50, "cpu": 2, "memory": "2Gi"},
            "gateway": {"replicas": 3},
            "redis": {"maxmemory": "512mb", "memory": "1Gi", "size": "1Gi", "storageClass": "true"},
            "kedaNamespace": "1",
        },
    },
    "everything": {
        "queue": {"enabled": True, "backend": "tf-serving-4cpu"},
        "host": "pixelcost.example.org",
        "gateway": GATEWAY,
        "monitoring": {"enabled": True},
        "networkPolicy": {"defaultDeny": True},
        "model": {"versions": [3], "labels": {"stable": 3}, "batching": {"enabled": True}},
        "web": {"replicas": 2, "database": {"secret": "db"}},
        "backends": [CPU, GPU, {**CPU, "name": "own", "service": "tf-serving-own", "server": "embedded"}],
    },
}

KEDA = {"kind": "keda", "max": 4, "prometheus": "http://prometheus:9090"}
DATABASE = {"secret": "pixelcost-database"}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "one volume for three": (
        {"web": {"replicas": 3, "database": DATABASE, "persistence": {"enabled": True}}},
        "ReadWriteOnce volume can't be attached",
    ),
    "one volume in a roll-out": (
        {"web": {"database": DATABASE, "persistence": {"enabled": True}}},
        "ReadWriteOnce",
    ),
    "two of one service": ({"backends": [CPU, {**CPU, "name": "b"}]}, "tf-serving-4cpu is listed twice"),
    "two of one name": ({"backends": [CPU, {**CPU, "service": "b"}]}, "4 CPU is listed twice"),
    "the page as a server": ({"backends": [{**CPU, "service": "image-resizer"}]}, "is reserved for the page"),
    "a service that begins with a digit": ({"backends": [{**CPU, "service": "4cpu"}]}, "service"),
    "a name of two lines": ({"backends": [{**CPU, "name": "a\nb"}]}, "name"),
    "a name that REST has": ({"backends": [{**CPU, "name": "4 CPU over REST"}]}, "must not end like this"),
    "a service without quotes": ({"backends": [{**CPU, "service": True}]}, "service"),
    "gRPC to nobody": (
        {"host": "a.b", "gateway": {**GATEWAY, "grpc": {"enabled": True, "host": "g.x"}}, "backends": [CPU]},
        "no backend has the service tf-serving-8cpu",
    ),
    "gRPC without a gateway": (
        {"gateway": {"grpc": {"enabled": True, "host": "g.x"}}},
        "needs gateway.enabled",
    ),
    "gRPC without a name": (
        {"host": "a.b", "gateway": {**GATEWAY, "grpc": {"enabled": True}}},
        "gateway.grpc.host",
    ),
    "keda without metrics": ({"backends": [{**CPU, "autoscaling": KEDA}]}, "keda needs monitoring.enabled"),
    "least above most": (
        {"backends": [{**CPU, "autoscaling": {"kind": "hpa", "min": 5, "max": 2}}]},
        "min 5 is above",
    ),
    "two versions of an image": ({"model": {"versions": [1, 2]}}, "an image brings one version"),
    "a label of nothing": (
        {"model": {**CLAIM, "versions": [2], "labels": {"stable": 1}}},
        "stable is version 1",
    ),
    "a label with quotes": (
        {"model": {**CLAIM, "versions": [1], "labels": {'st"able': 1}}},
        "labels|st.+able",
    ),
    "the embedded image on a gpu": ({"backends": [{**GPU, "server": "embedded"}]}, "does not support GPUs"),
    "backends taken away": ({"backends": None}, "backends"),
    "an image taken away": ({"web": {"image": None}}, "image"),
    "a folder above": ({"model": {"name": ".."}}, "name"),
    "a path that is YAML": (
        {"model": {"source": "claim", "claim": {"name": "m", "subPath": "a: b"}}},
        "subPath",
    ),
    "a path out of the claim": (
        {"model": {"source": "claim", "claim": {"name": "m", "subPath": "../x"}}},
        "subPath",
    ),
    "no memory": ({"backends": [{**CPU, "memory": "0Gi"}]}, "memory"),
    "another port": ({"backends": [{**CPU, "flags": ["--port=9000"]}]}, "--port=9000 is set by the chart"),
    "another page port": ({"web": {"env": {"PORT": 8080}}}, "web.env: PORT is fixed"),
    "a readable password": (
        {"web": {"env": {"DATABASE_URL": "postgresql://a:b@c/d"}}},
        "DATABASE_URL is set by the value web.database",
    ),
    "a price that is none": ({"backends": [{**CPU, "pricePerHour": 3_000_000}]}, "pricePerHour"),
    "another processor": ({"backends": [{**CPU, "nodeSelector": {"kubernetes.io/arch": "arm64"}}]}, "arch"),
    "a repository with a tag": ({"web": {"image": {"repository": "r/x:3"}}}, "repository"),
    "the key tmp": ({"backends": [{**CPU, "tmp": "1Gi"}]}, "tmp"),
    "deny without policies": (
        {"networkPolicy": {"defaultDeny": True, "enabled": False}},
        "networkPolicy.enabled",
    ),
    "a queue that asks nobody": (
        {"queue": {"enabled": True, "backend": "tf-serving-2cpu"}},
        "no backend has the service tf-serving-2cpu",
    ),
    "more workers than there may be": ({"queue": {"workers": {"min": 9}}}, "min 9 is above max 8"),
    "a stream with spaces": ({"queue": {"stream": "a b"}}, "stream"),
    "a misspelt value": ({"backend": []}, "backend"),
    "no backends": ({"backends": []}, "backends"),
    "half a cpu": ({"backends": [{**CPU, "cpu": 0.5}]}, "cpu"),
    "a starved gpu": ({"backends": [{**GPU, "cpu": 1}]}, "cpu"),
    "a gpu server without a gpu": ({"backends": [{k: v for k, v in GPU.items() if k != "gpus"}]}, "gpus"),
    "a cpu server with a gpu": ({"backends": [{**CPU, "gpus": 1}]}, "gpus|not"),
    "the tag latest": ({"web": {"image": {"repository": "pixelcost-web", "tag": "latest"}}}, "tag"),
    "a digest cut short": ({"model": {"image": {"repository": "m", "digest": "sha256:abc"}}}, "digest"),
    "a claim without a name": ({"model": {"source": "claim"}}, "claim"),
    "keda without prometheus": (
        {"backends": [{**CPU, "autoscaling": {"kind": "keda", "max": 2}}]},
        "prometheus",
    ),
    "replicas on sqlite": ({"web": {"replicas": 2}}, "several web processes can't share an SQLite file"),
    "a front without a name": ({"ingress": {"enabled": True}}, "need host"),
    "a gateway without a parent": (
        {"host": "a.b", "gateway": {"enabled": True, "parentRefs": []}},
        "parentRefs",
    ),
    "a service name with capitals": ({"backends": [{**CPU, "service": "TF"}]}, "service"),
    "a node port out of range": ({"web": {"service": {"nodePort": 80}}}, "nodePort"),
}


DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "helm.md"
EXAMPLES = {
    f"example {number}": yaml.safe_load(text)
    for number, text in enumerate(
        re.findall(r"^```yaml\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL), 1
    )
}


@pytest.fixture(scope="module")
def rendered() -> dict[str, Any]:
    assert not GOOD.keys() & BAD.keys()
    return render({**GOOD, **EXAMPLES, **{name: values for name, (values, _) in BAD.items()}})


def test_the_defaults_render_the_manifests_of_k8s(rendered: dict[str, Any]) -> None:
    assert sorted(rendered["defaults"], key=str) == sorted(manifests.read(), key=str)


def test_the_queue_is_that_of_the_component(rendered: dict[str, Any]) -> None:
    assert sorted(rendered["queue"], key=str) == sorted(with_queue(manifests.read()), key=str)


@pytest.mark.parametrize("name", [*GOOD, *EXAMPLES])
def test_no_values_break_a_rule(rendered: dict[str, Any], name: str) -> None:
    assert not isinstance(rendered[name], str), rendered[name]
    assert problems(rendered[name]) == []


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


def test_keda_counts_the_requests_of_its_own_namespace(rendered) -> None:
    (scaler,) = Cluster(rendered["keda"]).of("ScaledObject")
    assert (
        'namespace="pixelcost", pod=~"tf-serving-4cpu-.*"'
        in scaler["spec"]["triggers"][0]["metadata"]["query"]
    )


def test_every_key_that_the_defaults_name_is_one_that_the_schema_takes() -> None:
    text = (CHART / "values.yaml").read_text("utf-8").split("Optional keys of a backend:")[1].split(".\n")[0]
    named = set(re.findall(r"(\w+)(?=,|$)", re.sub(r" \(.*?\)", "", text.replace("\n#", ""))))
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))["$defs"]["backend"]
    assert named == schema["properties"].keys() - set(schema["required"]) - {"gpus"}


def test_http_goes_to_the_page_and_grpc_to_a_server(rendered) -> None:
    kinds = {each["kind"]: each for each in rendered["gateway"]}
    assert kinds["HTTPRoute"]["spec"]["rules"][0]["backendRefs"] == [{"name": "image-resizer", "port": 5051}]
    assert kinds["GRPCRoute"]["spec"]["rules"][0]["backendRefs"] == [
        {"name": "tf-serving-8cpu", "port": 8500}
    ]


def written(objects: list[dict[str, Any]], ending: str, folder: Path) -> list[Path]:
    """The files of a ConfigMap whose names end so, as a pod would see them."""
    (config,) = Cluster(objects).of("ConfigMap")
    for name, text in config["data"].items():
        (folder / name).write_text(text, "utf-8")
    return sorted(folder.glob(f"*{ending}"))
