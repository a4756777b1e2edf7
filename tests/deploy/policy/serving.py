"""Model servers: what made the figures of the 2018 manifests worthless must not come back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import ceil

from serving.config.flags import FLAGS, WITHOUT_EFFECT
from tests.deploy.policy.objects import (
    Cluster,
    Object,
    environment,
    flags,
    main_container,
    name_of,
    only_serves,
    pod_of,
    where,
)
from tests.deploy.policy.pods import PROBES
from webapp.config import Settings

GPU = "nvidia.com/gpu"
GPUS = re.compile(r"nvidia\.com/(gpu|mig-\d+g\.\d+gb)")  # of those that tensorflow/serving's image runs on
CPUS_BESIDE_A_GPU = 4  # the 2018 pod had 0.2, and measured how long it waited to decode
THREAD_FLAGS = ("tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism")
CONFIG_DIR = "/etc/pixelcost"
DRIVER = "[ -e /dev/nvidiactl ] || "
LEAST_TO_END_S = 10  # of the page between SIGTERM and SIGKILL, to close runs and streams
MOST_GRACE_S = (
    20  # of a server: TensorFlow Serving has no handler for SIGTERM, and as PID 1 is not ended by it
)
REST_FLAGS = ("rest_api_num_threads", "rest_api_timeout_in_ms")
REST_THREADS = range(16, 257)  # liveness needs one, too

Found = Iterator[tuple[str, str]]


def _limit(container: Object, resource: str) -> float:
    """A limit as a number: "200m" is 0.2; 0 where there is none."""
    text = str(container.get("resources", {}).get("limits", {}).get(resource, 0))
    return float(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)


def _threads(cluster: Cluster) -> Found:
    for workload in cluster.workloads("serving"):
        container = main_container(workload)
        limit = container.get("resources", {}).get("limits", {}).get("cpu")
        if only_serves(workload):
            limit = ceil(_limit(container, "cpu"))
        for flag in THREAD_FLAGS:
            if flags(container).get(flag) != str(limit):
                yield where(workload), f"--{flag} is not {limit}, its CPUs: it would be throttled, or idle"


def _gpu(cluster: Cluster) -> Found:
    for workload in cluster.workloads("serving"):
        container = main_container(workload)
        limits = container.get("resources", {}).get("limits", {})
        is_gpu = _is_for_gpu(container)
        if is_gpu != any(GPUS.fullmatch(each) and _limit(container, each) for each in limits):
            yield where(workload), "the GPU and the image for it don't go together"
        if is_gpu and _limit(container, "cpu") < CPUS_BESIDE_A_GPU:
            yield where(workload), f"fewer than {CPUS_BESIDE_A_GPU} CPUs beside the GPU: decoding starves it"
        tolerations = pod_of(workload)["spec"].get("tolerations", ())
        if is_gpu and not any(_tolerates(each) for each in tolerations):
            yield where(workload), "GPU nodes are tainted so that nothing else runs there"
        if is_gpu and not _writes(container, environment(container).get("CUDA_CACHE_PATH")):
            yield (
                where(workload),
                "can't keep the kernels that it compiles, so that each start compiles them again",
            )


def _is_for_gpu(container: Object) -> bool:
    """By the tag; a digest alone says nothing, and is taken for what the container has."""
    name, _, digest = container["image"].partition("@")
    is_bare = digest and ":" not in name.rpartition("/")[2]
    return bool(_limit(container, GPU)) if is_bare else name.endswith("-gpu")


def _tolerates(toleration: Mapping[str, str]) -> bool:
    """Whether it lets a pod onto nodes with the taint nvidia.com/gpu:NoSchedule, whatever its value."""
    keys, effects = (GPU, None), ("NoSchedule", None)
    is_any = toleration.get("operator") == "Exists"
    return is_any and toleration.get("key") in keys and toleration.get("effect") in effects


def _writes(container: Object, path: str | None) -> bool:
    """Whether `path` is in a volume that the container may write to."""
    mounts = [each["mountPath"] for each in container.get("volumeMounts", ()) if not each.get("readOnly")]
    return any(f"{path}/".startswith(f"{mount}/") for mount in mounts)


def _driver(cluster: Cluster) -> Found:
    for workload in cluster.workloads("serving"):
        container = main_container(workload)
        if _limit(container, GPU) and DRIVER not in " ".join(container.get("command", ())):
            yield where(workload), "without NVIDIA's runtime it would serve on the CPU and be called a GPU"


def _available(cluster: Cluster) -> Found:
    for workload in cluster.workloads("serving"):
        container = main_container(workload)
        for probe in ("startupProbe", "readinessProbe"):
            path = container.get(probe, {}).get("httpGet", {}).get("path", "")
            if not path.endswith("/metadata"):
                yield (
                    where(workload),
                    f"its {probe} asks {path!r}, which answers 200 also while nothing is loaded",
                )
        path = container.get("livenessProbe", {}).get("httpGet", {}).get("path", "")
        if path.endswith("/metadata"):
            yield where(workload), "a restart does not bring a model back; liveness asks the status"


def _model(cluster: Cluster) -> Found:
    for workload in cluster.workloads("serving"):
        container = main_container(workload)
        paths = {each["mountPath"]: each for each in container.get("volumeMounts", ())}
        names = {path.rpartition("/")[2] for path in paths if path.startswith("/models/")}
        base_path = flags(container).get("model_base_path")
        if base_path is None and "model_config_file" in flags(container):
            base_path = next((path for path in paths if path.startswith("/models/")), None)
        if base_path not in paths or not paths[base_path].get("readOnly"):
            yield where(workload), f"nothing is mounted read-only at the model's folder {base_path}"
        for volume in pod_of(workload)["spec"].get("volumes", ()):
            if not volume.get("persistentVolumeClaim", {"readOnly": True}).get("readOnly"):
                yield where(workload), "attaches the models for writing: a ReadOnlyMany volume refuses that"
        for probe in PROBES:
            asked = container.get(probe, {}).get("httpGet", {}).get("path", "")
            if not any(f"{asked}/".startswith(f"/v1/models/{name}/") for name in names):
                yield where(workload), f"its {probe} asks for another model than {', '.join(names)}"
        yield from _filled(workload, container, base_path)


def _filled(workload: Object, container: Object, base_path: str | None) -> Found:
    """The model's volume is a claim, or an init container fills it at the same path."""
    volumes = {each["name"]: each for each in pod_of(workload)["spec"].get("volumes", ())}
    mounted = {each["mountPath"]: each["name"] for each in container.get("volumeMounts", ())}
    volume = volumes.get(mounted.get(str(base_path), ""), {})
    fillers = pod_of(workload)["spec"].get("initContainers", ())
    filled = {
        (each["name"], each["mountPath"])
        for init in fillers
        for each in init.get("volumeMounts", ())
        if not each.get("readOnly") and init.get("command", [""])[-1] == base_path
    }
    if "emptyDir" in volume and (volume["name"], base_path) not in filled:
        yield where(workload), "nobody fills the model's volume"


def _flags(cluster: Cluster) -> Found:
    known = {each.lstrip("-") for each in (*FLAGS, *WITHOUT_EFFECT)}
    for workload in cluster.workloads("serving"):
        given = flags(main_container(workload))
        for unknown in given.keys() - known:
            yield where(workload), f"--{unknown} is no flag of tensorflow_model_server"
        if ("batching_parameters_file" in given) != ("enable_batching" in given):
            yield where(workload), "batching and its file go together; reloading a model needs neither"
        if ("model_config_file" in given) == ("model_base_path" in given):
            yield where(workload), "is given its model twice, or not at all"
        if not int(given.get("file_system_poll_wait_seconds", "0") or 0):
            yield where(workload), "never looks for a new version"
        yield from _config_files(cluster, workload, given)


def _config_files(cluster: Cluster, workload: Object, given: dict[str, str]) -> Found:
    """Files that flags name are in a ConfigMap, at /etc/pixelcost, and that is mounted."""
    mounts = {each["mountPath"] for each in main_container(workload).get("volumeMounts", ())}
    held = {key for each in cluster.of("ConfigMap") for key in each.get("data", {})}
    for flag, value in given.items():
        is_held = CONFIG_DIR in mounts and value.removeprefix(f"{CONFIG_DIR}/") in held
        if value.startswith("/") and flag != "model_base_path" and not is_held:
            yield where(workload), f"--{flag} names {value}, which no ConfigMap holds"


def _one_model(cluster: Cluster) -> Found:
    images = {
        name_of(each): init["image"]
        for each in cluster.workloads("serving")
        for init in pod_of(each)["spec"].get("initContainers", ())
        if init["name"] == "model"
    }
    if len(set(images.values())) > 1:
        yield ", ".join(images), f"compare different models: {', '.join(sorted(set(images.values())))}"


def _rest_pool(cluster: Cluster) -> Found:
    """Else TensorFlow Serving counts the node's cores, and answers 504 after 30 s while the page waits 60."""
    for workload in cluster.workloads("serving"):
        given = flags(main_container(workload))
        threads, timeout = (int(given.get(flag, 0)) for flag in REST_FLAGS)
        if threads not in REST_THREADS:
            yield where(workload), f"answers {threads or 'as many as the node likes'} REST requests at once"
        if timeout < 1e3 * Settings().tf_request_timeout_s:
            yield (
                where(workload),
                f"gives a REST request up after {timeout or 30_000} ms, before the page does",
            )


def _drain(cluster: Cluster) -> Found:
    for workload in (*cluster.workloads("serving"), *cluster.workloads("web")):
        seconds = (
            main_container(workload)
            .get("lifecycle", {})
            .get("preStop", {})
            .get("sleep", {})
            .get("seconds", 0)
        )
        grace_s = pod_of(workload)["spec"].get("terminationGracePeriodSeconds", 30)
        is_page = workload in cluster.workloads("web")
        if seconds <= 0 or grace_s - seconds < (LEAST_TO_END_S if is_page else 1):
            yield where(workload), "ends while requests are under way"
        if not is_page and grace_s > MOST_GRACE_S:
            yield where(workload), f"holds its CPUs or its GPU for {grace_s} s: it ignores SIGTERM"
        if more := main_container(workload).get("lifecycle", {}).keys() - {"preStop"}:
            yield where(workload), f"does something at {', '.join(more)}, which nothing here needs"


def _found_by_name(cluster: Cluster) -> Found:
    for workload in cluster.workloads("serving"):
        if pod_of(workload)["metadata"]["labels"].get("app") != name_of(workload):
            yield where(workload), "the page's advice `kubectl get pods -l app=<host>` finds nothing"


RULES = {
    "threads": _threads,
    "gpu": _gpu,
    "available": _available,
    "model": _model,
    "flags": _flags,
    "driver": _driver,
    "one_model": _one_model,
    "rest_pool": _rest_pool,
    "drain": _drain,
    "found_by_name": _found_by_name,
}
