"""The checker finds mistakes: each of these is made on purpose, and the rule meant for it finds it.

The objects are those of k8s/ with an autoscaler beside them. A mistake changes one place. It counts as found
only when the rule named with it speaks, and no rule that isn't named does.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.deploy.mistakes import (
    Objects,
    Table,
    around,
    documented,
    inside,
    lifetime,
    main,
    pod,
    queue,
    right,
    security,
)
from tests.deploy.policy import OF_MANIFESTS, problems
from tests.support.deploy import manifests


def starve_the_gpu(objects: Objects) -> None:
    """The 2018 pod: a fifth of a CPU beside the GPU."""
    for part in main(objects, "tf-serving-gpu")["resources"].values():
        part["cpu"] = "200m"
    main(objects, "tf-serving-gpu")["args"][-2:] = [
        "--tensorflow_intra_op_parallelism=200m",
        "--tensorflow_inter_op_parallelism=200m",
    ]


def half_a_cpu(objects: Objects) -> None:
    for part in main(objects, "image-resizer")["resources"].values():
        part["cpu"] = "1500m"


def probe_the_port(objects: Objects) -> None:
    """The 2018 probes: the port is open before the model is loaded."""
    main(objects, "tf-serving-8cpu")["readinessProbe"] = {"tcpSocket": {"port": "grpc"}}


def probe_the_status(objects: Objects) -> None:
    main(objects, "tf-serving-8cpu")["readinessProbe"]["httpGet"]["path"] = "/v1/models/inception"


def model_from_the_host(objects: Objects) -> None:
    """The 2018 model: a folder copied to each node by hand."""
    spec = pod(objects, "tf-serving-1cpu")
    spec["volumes"][0] = {"name": "model", "hostPath": {"path": "/model-data"}}


def latest(objects: Objects) -> None:
    main(objects, "image-resizer")["image"] = "pixelcost-web:latest"


def no_tag(objects: Objects) -> None:
    main(objects, "tf-serving-1cpu")["image"] = "tensorflow/serving"


def old_api(objects: Objects) -> None:
    """The 2018 API, gone since Kubernetes 1.16."""
    manifests.one(objects, "Deployment", "image-resizer")["apiVersion"] = "extensions/v1beta1"


def misspelt_field(objects: Objects) -> None:
    main(objects, "image-resizer")["readynessProbe"] = {}


def one_address(objects: Objects) -> None:
    """The chart's ClusterIP: one gRPC channel, one pod."""
    del manifests.one(objects, "Service", "tf-serving-8cpu")["spec"]["clusterIP"]


def batching_as_reload(objects: Objects) -> None:
    """The chart's mistake: batching taken for what finds new models."""
    args = main(objects, "tf-serving-8cpu")["args"]
    args[args.index("--file_system_poll_wait_seconds=10")] = "--enable_batching"


def checkpoint_folder(objects: Objects) -> None:
    """The chart's folder: checkpoints, which nobody mounted as a model."""
    args = main(objects, "tf-serving-8cpu")["args"]
    args[args.index("--model_base_path=/models/inception")] = (
        "--model_base_path=/var/tensorflow/imagenet-checkpoints"
    )


def http_before_grpc(objects: Objects) -> None:
    """The chart's Ingress: HTTP in front of a port that speaks gRPC."""
    backend = {"service": {"name": "tf-serving-8cpu", "port": {"name": "grpc"}}}
    rule = {"host": "a.b", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"}}
    objects.append({**ingress, "spec": {"rules": [rule]}})


def root(objects: Objects) -> None:
    pod(objects, "tf-serving-1cpu")["securityContext"]["runAsUser"] = 0


def user_by_name_only(objects: Objects) -> None:
    """`runAsNonRoot` alone fails at the start with an image whose user is a name."""
    del pod(objects, "image-resizer")["securityContext"]["runAsUser"]


def no_seccomp(objects: Objects) -> None:
    del pod(objects, "image-resizer")["securityContext"]["seccompProfile"]


def capability_in_the_init_container(objects: Objects) -> None:
    pod(objects, "tf-serving-8cpu")["initContainers"][0]["securityContext"]["capabilities"] = {
        "drop": ["NET_RAW"]
    }


def writable_root(objects: Objects) -> None:
    main(objects, "tf-serving-gpu")["securityContext"]["readOnlyRootFilesystem"] = False


def burstable(objects: Objects) -> None:
    main(objects, "tf-serving-8cpu")["resources"]["requests"]["cpu"] = "2"


def threads_of_the_node(objects: Objects) -> None:
    main(objects, "tf-serving-1cpu")["args"].remove("--tensorflow_intra_op_parallelism=1")


def no_liveness(objects: Objects) -> None:
    del main(objects, "image-resizer")["livenessProbe"]


def no_budget(objects: Objects) -> None:
    objects.remove(manifests.one(objects, "PodDisruptionBudget", "tf-serving-gpu"))


def no_policy(objects: Objects) -> None:
    objects.remove(manifests.one(objects, "NetworkPolicy", "image-resizer"))


def servers_open_to_all(objects: Objects) -> None:
    rules = manifests.one(objects, "NetworkPolicy", "tf-serving-8cpu")["spec"]["ingress"]
    rules.append({"ports": [{"port": 8500, "protocol": "TCP"}, {"port": 8501, "protocol": "TCP"}]})


def no_names(objects: Objects) -> None:
    del manifests.one(objects, "NetworkPolicy", "image-resizer")["spec"]["egress"][1]


def wrong_port(objects: Objects) -> None:
    for each in main(objects, "image-resizer")["env"]:
        if each["name"] == "TF_SERVERS":
            each["value"] = each["value"].replace("tf-serving-8cpu:8500", "tf-serving-8cpu:9000")


def misspelt_setting(objects: Objects) -> None:
    main(objects, "image-resizer")["env"].append({"name": "PIXELCOST_KEEP_RUN", "value": "5"})


def two_writers(objects: Objects) -> None:
    manifests.one(objects, "Deployment", "image-resizer")["spec"]["replicas"] = 3


def fixed_and_scaled(objects: Objects) -> None:
    manifests.one(objects, "Deployment", "tf-serving-1cpu")["spec"]["replicas"] = 1


def lost_service(objects: Objects) -> None:
    manifests.one(objects, "Service", "tf-serving-8cpu")["spec"]["selector"] = {"app": "tf-serving-8-cpu"}


def other_node_port(objects: Objects) -> None:
    manifests.one(objects, "Service", "image-resizer")["spec"]["ports"][0]["nodePort"] = 30901


def gpu_without_its_image(objects: Objects) -> None:
    main(objects, "tf-serving-gpu")["image"] = "docker.io/tensorflow/serving:2.19.1"


def empty_model(objects: Objects) -> None:
    del pod(objects, "tf-serving-1cpu")["initContainers"]


def other_model(objects: Objects) -> None:
    env = main(objects, "image-resizer")["env"]
    next(each for each in env if each["name"] == "MODEL_NAME")["value"] = "resnet"


def ends_at_once(objects: Objects) -> None:
    del main(objects, "tf-serving-8cpu")["lifecycle"]


def page_ends_at_once(objects: Objects) -> None:
    del main(objects, "image-resizer")["lifecycle"]


def other_label(objects: Objects) -> None:
    found = manifests.one(objects, "Deployment", "tf-serving-gpu")
    for labels in (found["spec"]["selector"]["matchLabels"], found["spec"]["template"]["metadata"]["labels"]):
        labels["app"] = "gpu"


def all_on_one_node(objects: Objects) -> None:
    del pod(objects, "tf-serving-8cpu")["topologySpreadConstraints"]


def no_data(objects: Objects) -> None:
    main(objects, "image-resizer")["volumeMounts"][0]["readOnly"] = True


def twice(objects: Objects) -> None:
    objects.append(manifests.one(objects, "Service", "tf-serving-gpu"))


def elsewhere(objects: Objects) -> None:
    manifests.one(objects, "HorizontalPodAutoscaler", "tf-serving-1cpu")["metadata"]["namespace"] = "default"


def links(objects: Objects) -> None:
    del pod(objects, "image-resizer")["enableServiceLinks"]


def token(objects: Objects) -> None:
    pod(objects, "tf-serving-gpu")["automountServiceAccountToken"] = True


def escalation(objects: Objects) -> None:
    main(objects, "image-resizer")["securityContext"]["allowPrivilegeEscalation"] = True


def host_network(objects: Objects) -> None:
    pod(objects, "image-resizer")["hostNetwork"] = True


# The rule meant for each mistake comes first; those after it must follow from the same mistake.
MISTAKES: Table = [
    *security.MISTAKES,
    *inside.MISTAKES,
    *around.MISTAKES,
    *queue.MISTAKES,
    *lifetime.MISTAKES,
    *documented.MISTAKES,
    (starve_the_gpu, "gpu whole_cpus"),
    (half_a_cpu, "whole_cpus"),
    (probe_the_port, "probes available model"),
    (probe_the_status, "available"),
    (model_from_the_host, "volumes"),
    (latest, "image"),
    (no_tag, "image"),
    (old_api, "schema"),
    (misspelt_field, "schema"),
    (one_address, "headless"),
    (batching_as_reload, "flags"),
    (checkpoint_folder, "model"),
    (http_before_grpc, "fronts"),
    (root, "non_root"),
    (user_by_name_only, "non_root"),
    (no_seccomp, "seccomp"),
    (capability_in_the_init_container, "capabilities"),
    (writable_root, "read_only"),
    (burstable, "limits"),
    (threads_of_the_node, "threads"),
    (no_liveness, "probes"),
    (no_budget, "budgets"),
    (no_policy, "isolated reach names open_page"),
    (servers_open_to_all, "quiet_servers"),
    (no_names, "names"),
    (wrong_port, "servers"),
    (misspelt_setting, "settings"),
    (two_writers, "one_writer"),
    (fixed_and_scaled, "scalers"),
    (lost_service, "services"),
    (other_node_port, "node_ports"),
    (gpu_without_its_image, "gpu"),
    (empty_model, "model"),
    (other_model, "servers"),
    (ends_at_once, "drain"),
    (page_ends_at_once, "drain"),
    (other_label, "found_by_name selectors services budgets isolated reach"),
    (all_on_one_node, "spread"),
    (no_data, "data"),
    (twice, "unique"),
    (elsewhere, "namespace"),
    (links, "service_links"),
    (token, "service_account"),
    (escalation, "escalation"),
    (host_network, "host"),
]


def test_without_a_mistake_nothing_is_found() -> None:
    assert problems(right(), OF_MANIFESTS) == []


@pytest.mark.parametrize(("make", "rules"), MISTAKES, ids=lambda each: getattr(each, "__name__", ""))
def test_a_mistake_is_found_by_the_rule_meant_for_it(make: Callable[[Objects], None], rules: str) -> None:
    objects = right()
    make(objects)
    assert objects != right()
    assert {each.rule for each in problems(objects, OF_MANIFESTS)} == set(rules.split())


def test_every_rule_finds_a_mistake_of_its_own() -> None:
    assert {rules.split()[0] for _, rules in MISTAKES} == OF_MANIFESTS.keys()


def test_the_document_says_how_many_there_are() -> None:
    text = (manifests.ROOT / "docs" / "kubernetes.md").read_text("utf-8")
    assert f"{len(MISTAKES)} deliberate mistakes" in text
