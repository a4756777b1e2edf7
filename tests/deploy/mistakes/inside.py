"""Mistakes inside a workload: its probes, ports, volumes, images and settings."""

from __future__ import annotations

from typing import Any

from tests.deploy.mistakes import Objects, Table, claimed, deployment, main, pod, setting

WEB, SERVER, GPU = "image-resizer", "tf-serving-8cpu", "tf-serving-gpu"


def probe(objects: Objects, name: str, kind: str) -> dict[str, Any]:
    asked: dict[str, Any] = main(objects, name)[f"{kind}Probe"]["httpGet"]
    return asked


def flag(objects: Objects, old: str, new: str) -> None:
    args = main(objects, SERVER)["args"]
    args[args.index(old)] = new


# --- probes ---


def probe_grpc(objects: Objects) -> None:
    probe(objects, SERVER, "readiness")["port"] = "grpc"


def probe_no_port(objects: Objects) -> None:
    probe(objects, SERVER, "liveness")["port"] = "http"


def probe_another_machine(objects: Objects) -> None:
    probe(objects, SERVER, "liveness")["host"] = "10.0.0.1"


def alive_by_another_model(objects: Objects) -> None:
    probe(objects, SERVER, "liveness")["path"] = "/v1/models/resnet"


def started_by_another_model(objects: Objects) -> None:
    probe(objects, SERVER, "startup")["path"] = "/v1/models/inceptionresnet/metadata"


def alive_by_the_servers(objects: Objects) -> None:
    probe(objects, WEB, "liveness")["path"] = "/readyz"


def alive_by_404(objects: Objects) -> None:
    probe(objects, WEB, "liveness")["path"] = "/health"


def ready_by_token(objects: Objects) -> None:
    probe(objects, WEB, "readiness")["path"] = "/api/config"


def one_try(objects: Objects) -> None:
    main(objects, SERVER)["startupProbe"]["failureThreshold"] = 1


def impatient(objects: Objects) -> None:
    main(objects, WEB)["livenessProbe"]["timeoutSeconds"] = 1


# --- wiring ---


def missing_volume(objects: Objects) -> None:
    main(objects, WEB)["volumeMounts"][1]["name"] = "temp"


def no_scratch(objects: Objects) -> None:
    main(objects, SERVER)["volumeMounts"].pop(1)


def selects_nothing(objects: Objects) -> None:
    deployment(objects, GPU)["selector"]["matchLabels"]["app"] = "gpu"


def selects_all_servers(objects: Objects) -> None:
    deployment(objects, GPU)["selector"]["matchLabels"] = {"app.kubernetes.io/part-of": "pixelcost"}


def twice_in_env(objects: Objects) -> None:
    main(objects, WEB)["env"].append({"name": "PORT", "value": "5051"})


def rest_elsewhere(objects: Objects) -> None:
    flag(objects, "--rest_api_port=8501", "--rest_api_port=8502")


def grpc_elsewhere(objects: Objects) -> None:
    flag(objects, "--port=8500", "--port=8503")


def other_container_port(objects: Objects) -> None:
    main(objects, SERVER)["ports"][0]["containerPort"] = 8510


def model_twice(objects: Objects) -> None:
    main(objects, SERVER)["args"].append("--model_config_file=/models/models.config")


def installs_elsewhere(objects: Objects) -> None:
    pod(objects, SERVER)["initContainers"][0]["command"][-1] = "/models/resnet"


def installs_read_only(objects: Objects) -> None:
    pod(objects, SERVER)["initContainers"][0]["volumeMounts"][0]["readOnly"] = True


def server_as_page(objects: Objects) -> None:
    main(objects, WEB)["image"] = "pixelcost-serving:0.1.0"


def own_server_with_the_other_command(objects: Objects) -> None:
    main(objects, SERVER)["image"] = "pixelcost-serving:0.1.0"


def rolls_out_never(objects: Objects) -> None:
    deployment(objects, SERVER)["strategy"]["rollingUpdate"] = {"maxSurge": 0, "maxUnavailable": 0}


def all_at_once(objects: Objects) -> None:
    deployment(objects, SERVER)["strategy"]["rollingUpdate"] = {"maxSurge": 0, "maxUnavailable": "100%"}


def no_pod(objects: Objects) -> None:
    deployment(objects, SERVER)["replicas"] = 0


def spread_over_a_misspelt_label(objects: Objects) -> None:
    pod(objects, SERVER)["topologySpreadConstraints"][0]["topologyKey"] = "kubernetes.io/host"


def not_on_a_small_cluster(objects: Objects) -> None:
    pod(objects, GPU)["topologySpreadConstraints"][0]["whenUnsatisfiable"] = "DoNotSchedule"


def no_tolerance_for_the_taint(objects: Objects) -> None:
    pod(objects, GPU)["tolerations"][0]["effect"] = "NoExecute"


def kernels_in_a_read_only_folder(objects: Objects) -> None:
    main(objects, GPU)["env"][0]["value"] = "/root/.nv"


def a_gpu_that_need_not_be_there(objects: Objects) -> None:
    main(objects, GPU)["command"] = ["tensorflow_model_server"]


def as_many_rest_threads_as_the_node_likes(objects: Objects) -> None:
    main(objects, SERVER)["args"].remove("--rest_api_num_threads=64")


def rest_gives_up_before_the_page(objects: Objects) -> None:
    flag(objects, "--rest_api_timeout_in_ms=60000", "--rest_api_timeout_in_ms=30000")


# --- the page ---


def another_signature(objects: Objects) -> None:
    main(objects, WEB)["env"].append({"name": "MODEL_SIGNATURE_NAME", "value": "serving_default"})


def impossible_setting(objects: Objects) -> None:
    main(objects, WEB)["env"].append({"name": "PIXELCOST_KEEP_RUNS", "value": "many"})


def forgotten_server(objects: Objects) -> None:
    row = setting(objects, "TF_SERVERS")
    row["value"] = row["value"].rpartition(";")[0]


def swapped_servers(objects: Objects) -> None:
    row = setting(objects, "TF_SERVERS")
    row["value"] = row["value"].replace("-1cpu", "-x").replace("-8cpu", "-1cpu").replace("-x", "-8cpu")


def gpu_by_name_only(objects: Objects) -> None:
    row = setting(objects, "TF_SERVERS")
    row["value"] = row["value"].replace("GPU:", "T4:").replace("8 CPU:", "GPU:")


def too_small_for_the_runs(objects: Objects) -> None:
    pod(objects, WEB)["volumes"][0]["emptyDir"]["sizeLimit"] = "100Mi"


def other_claim(objects: Objects) -> None:
    """The volume of keep-runs under another name than its claim."""
    claimed(objects, "runs")
    spec = {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "10Gi"}}}
    metadata = {"name": WEB}
    objects.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})


def one_volume_for_three(objects: Objects) -> None:
    """keep-runs together with postgresql."""
    secret = {"secretKeyRef": {"name": "pixelcost-database", "key": "url"}}
    main(objects, WEB)["env"].append({"name": "DATABASE_URL", "valueFrom": secret})
    claimed(objects, "runs")
    deployment(objects, WEB)["replicas"] = 3


MISTAKES: Table = [
    (probe_grpc, "probe_ports"),
    (probe_no_port, "probe_ports"),
    (probe_another_machine, "probe_ports"),
    (alive_by_another_model, "model"),
    (started_by_another_model, "model"),
    (alive_by_the_servers, "probe_web"),
    (alive_by_404, "probe_web"),
    (ready_by_token, "probe_web"),
    (one_try, "patience"),
    (impatient, "patience"),
    (missing_volume, "mounts"),
    (no_scratch, "scratch"),
    (selects_nothing, "selectors"),
    (selects_all_servers, "selectors"),
    (twice_in_env, "env_once"),
    (rest_elsewhere, "ports"),
    (grpc_elsewhere, "ports"),
    (other_container_port, "ports"),
    (model_twice, "flags"),
    (installs_elsewhere, "model"),
    (installs_read_only, "model"),
    (server_as_page, "own_images"),
    (own_server_with_the_other_command, "own_images"),
    (rolls_out_never, "rollout"),
    (all_at_once, "rollout"),
    (no_pod, "rollout"),
    (spread_over_a_misspelt_label, "spread"),
    (not_on_a_small_cluster, "spread"),
    (no_tolerance_for_the_taint, "gpu"),
    (kernels_in_a_read_only_folder, "gpu"),
    (a_gpu_that_need_not_be_there, "driver"),
    (as_many_rest_threads_as_the_node_likes, "rest_pool"),
    (rest_gives_up_before_the_page, "rest_pool"),
    (another_signature, "settings"),
    (impossible_setting, "settings"),
    (forgotten_server, "servers"),
    (swapped_servers, "true_names"),
    (gpu_by_name_only, "true_names"),
    (too_small_for_the_runs, "room"),
    (other_claim, "claims"),
    (one_volume_for_three, "one_node"),
]
