"""Names that k8s/ and its components take from elsewhere: Secrets, labels of nodes, images."""

from __future__ import annotations

from typing import Any

import yaml

from tests.deploy.mistakes import COMPONENTS, Objects, Table, main, pod

WEB, SERVER, GPU = "image-resizer", "tf-serving-8cpu", "tf-serving-gpu"


def from_a_secret(objects: Objects, component: str, **wrong: Any) -> None:
    """What a component adds to the page's environment, with something wrong in it."""
    text = (COMPONENTS / component / "kustomization.yaml").read_text("utf-8")
    patch = yaml.safe_load(yaml.safe_load(text)["patches"][0]["patch"])
    (row,) = patch["spec"]["template"]["spec"]["containers"][0]["env"]
    row["valueFrom"]["secretKeyRef"] |= wrong
    main(objects, WEB)["env"].append(row)


def token_under_another_key(objects: Objects) -> None:
    from_a_secret(objects, "token", key="value")


def open_without_its_token(objects: Objects) -> None:
    from_a_secret(objects, "token", optional=True)


def database_of_another_secret(objects: Objects) -> None:
    from_a_secret(objects, "postgresql", name="pixelcost-db")


def pulls_with_a_secret_of_nobody(objects: Objects) -> None:
    pod(objects, WEB)["imagePullSecrets"] = [{"name": "regcred"}]


def misspelt_node_label(objects: Objects) -> None:
    pod(objects, GPU)["nodeSelector"]["nvidia.com/gpu.presnt"] = "true"


def misspelt_value_of_a_node_label(objects: Objects) -> None:
    pod(objects, GPU)["nodeSelector"]["nvidia.com/gpu.present"] = "yes"


def one_name_for_cpu_and_gpu(objects: Objects) -> None:
    """As it was: `images:` goes by the name, and pinning one put the CPU image into the GPU server."""
    main(objects, GPU)["image"] = "tensorflow/serving:2.19.1-gpu"


def another_model_in_one_server(objects: Objects) -> None:
    """`kubectl set image` on one of three Deployments: the page would compare different models."""
    pod(objects, SERVER)["initContainers"][0]["image"] = "pixelcost-model:resnet-2"


MISTAKES: Table = [
    (token_under_another_key, "documented_secrets"),
    (open_without_its_token, "documented_secrets"),
    (database_of_another_secret, "documented_secrets"),
    (pulls_with_a_secret_of_nobody, "documented_secrets"),
    (misspelt_node_label, "node_labels"),
    (misspelt_value_of_a_node_label, "node_labels"),
    (one_name_for_cpu_and_gpu, "apart"),
    (another_model_in_one_server, "one_model"),
]
