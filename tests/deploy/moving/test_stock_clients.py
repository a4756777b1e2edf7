"""A stock client reaches a server through what the chart renders, and who is not named as a client does not.

Every pod has a network of its own. What a cluster adds is played here: the Service's address is taken on the
client's node, as kube-proxy does, and a network plugin drops what no policy allows.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.deploy.deployments import of_objects
from tests.support.deploy.helm_render import Objects, render
from tests.support.deploy.image_builder import why_not
from tests.support.deploy.networks import Host, Network, network
from tests.support.deploy.rehearsal import rehearsed
from tests.support.processes.app_process import CAT

CAN_NOT = why_not() or ("" if shutil.which("curl") else "needs curl: apt-get install curl")
pytestmark = pytest.mark.skipif(bool(CAN_NOT), reason=f"No hosts of their own: {CAN_NOT}")

SERVER, SERVICE, ADDRESS = "tf-serving-small", "classifier", "10.96.0.10"
CURL_TIMED_OUT = 28
OURS, SHOP = "pixelcost", "shop"  # namespaces
CLIENT = {"app": "basket"}
VALUES = {
    "web": {"enabled": False},
    "backends": [
        {"name": "s", "service": SERVER, "device": "cpu", "cpu": 0.5, "memory": "1Gi", "measure": False}
    ],
    "serving": {
        "expose": [
            {
                "name": SERVICE,
                "backend": SERVER,
                "grpc": {"port": 9000},  # as clients of 2018 expect it
                "rest": {},
                "from": [
                    {
                        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": SHOP}},
                        "podSelector": {"matchLabels": CLIENT},
                    }
                ],
            }
        ]
    },
}
# With the published messages and stub, and nothing of this project: it runs elsewhere, by `python -I`. Its
# first lines keep TensorFlow's runtime, half a gigabyte, out of a client that needs its messages only.
GRPC_CLIENT = """
import importlib.util, sys, types
tensorflow = types.ModuleType("tensorflow")
tensorflow.__path__ = importlib.util.find_spec("tensorflow").submodule_search_locations
sys.modules["tensorflow"] = tensorflow
import grpc
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

request = predict_pb2.PredictRequest()
request.model_spec.name, request.model_spec.signature_name = "inception", "predict_images"
photo = tensor_pb2.TensorProto(dtype=7, string_val=[open(sys.argv[2], "rb").read()])
photo.tensor_shape.dim.add(size=1)
request.inputs["images"].CopyFrom(photo)
stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(sys.argv[1]))
try:
    print(stub.Predict(request, timeout=float(sys.argv[3])).outputs["classes"].string_val[0].decode())
except grpc.RpcError as error:
    sys.exit(error.code().name)
"""


@dataclass(frozen=True)
class Pod:
    """A pod that might be a client."""

    namespace: str
    labels: Mapping[str, str]
    host: Host


@dataclass(frozen=True)
class Stage:
    """The server, and pods that would ask it."""

    folder: Path
    objects: Objects
    allowed: Pod
    strangers: Sequence[Pod]

    def rest(self, pod: Pod, timeout_s: int) -> subprocess.CompletedProcess[str]:
        """curl, from a pod."""
        body = self.folder / "body.json"
        photo = base64.b64encode(CAT.read_bytes()).decode()
        body.write_text(json.dumps({"signature_name": "predict_images", "instances": [{"b64": photo}]}))
        url = f"http://{SERVICE}:8501/v1/models/inception:predict"
        command = [
            "curl",
            "--silent",
            "--show-error",
            "--fail",
            "--noproxy",
            "*",
            "--max-time",
            str(timeout_s),
        ]
        return self._run(pod, [*command, "--data", f"@{body}", url])

    def grpc(self, pod: Pod, timeout_s: int) -> subprocess.CompletedProcess[str]:
        """The stock stub, from a pod."""
        arguments = [f"{SERVICE}:9000", str(CAT), str(timeout_s)]
        return self._run(pod, [sys.executable, "-I", "-c", GRPC_CLIENT, *arguments])

    def _run(self, pod: Pod, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        wrapped = pod.host.wrapped(command)
        return subprocess.run(
            wrapped, cwd=self.folder, capture_output=True, text=True, timeout=100, check=False
        )


def allows(objects: Objects, pod: Pod) -> bool:
    """Whether a policy lets a pod in to the server at all."""
    policies = [
        each["spec"]
        for each in objects
        if each["kind"] == "NetworkPolicy"
        and each["spec"]["podSelector"].get("matchLabels", {}).items() <= {"app": SERVER}.items()
    ]
    assert policies
    return any(
        _is_peer(pod, peer)
        for policy in policies
        for rule in policy["ingress"]
        for peer in rule.get("from") or [{}]
    )


def _is_peer(pod: Pod, peer: Mapping[str, Any]) -> bool:
    """As Kubernetes reads a peer: without a namespaceSelector only pods of the policy's own namespace."""
    if "ipBlock" in peer:
        return False
    selector = peer.get("namespaceSelector")
    names = {"kubernetes.io/metadata.name": pod.namespace}
    is_there = pod.namespace == OURS if selector is None else _selects(selector, names)
    return is_there and _selects(peer.get("podSelector", {}), pod.labels)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def service_ports(objects: Objects) -> dict[int, int]:
    """Port of the Service -> port of the pod."""
    (service,) = [
        each for each in objects if each["kind"] == "Service" and each["metadata"]["name"] == SERVICE
    ]
    (deployment,) = [each for each in objects if each["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    ports = {each["name"]: each["containerPort"] for each in pod["spec"]["containers"][0]["ports"]}
    return {each["port"]: ports[each["targetPort"]] for each in service["spec"]["ports"]}


def played(made: Network, objects: Objects, server: Host, pods: Sequence[Pod]) -> Iterator[list[str]]:
    """Command lines of what kube-proxy does on each pod's node, after the policies are in force."""
    made.name_address(SERVICE, ADDRESS, [pod.host for pod in pods])
    for pod in pods:
        if not allows(objects, pod):
            made.part(server, pod.host)
        for outside, inside in service_ports(objects).items():
            module = [sys.executable, "-m", "tests.support.deploy.node_port"]
            yield pod.host.wrapped([*module, f"{ADDRESS}:{outside}", f"{server.address}:{inside}"])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("clients")
    objects = render({"": VALUES})[""]
    assert not isinstance(objects, str), objects
    with network(folder) as made:
        node, server, *hosts = (made.add() for _ in range(5))
        pods = [
            Pod(SHOP, CLIENT, hosts[0]),
            Pod(SHOP, {"app": "other"}, hosts[1]),  # its namespace alone is not enough
            Pod("elsewhere", CLIENT, hosts[2]),  # nor is a label that anybody can give
        ]
        made.name({SERVER: [server]})
        with rehearsed(of_objects(objects), folder, {SERVER: [server]}, node) as rehearsal:
            for command in played(made, objects, server, pods):
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
                )
                rehearsal.others.append(process)
                assert process.stdout and process.stdout.readline() == "ready\n"
            yield Stage(folder, objects, pods[0], pods[1:])


def test_curl_gets_an_answer_over_rest(stage: Stage) -> None:
    done = stage.rest(stage.allowed, 60)
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)["predictions"]
    assert answer["classes"][0]


def test_a_stock_stub_gets_the_same_answer_over_grpc_at_the_old_port(stage: Stage) -> None:
    done = stage.grpc(stage.allowed, 60)
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(stage.rest(stage.allowed, 60).stdout)["predictions"]
    assert done.stdout.strip() == answer["classes"][0]


@pytest.mark.parametrize("number", [0, 1])
def test_who_is_not_named_as_a_client_gets_no_answer(stage: Stage, number: int) -> None:
    stranger = stage.strangers[number]
    assert stage.rest(stranger, 1).returncode == CURL_TIMED_OUT
    assert stage.grpc(stranger, 1).stderr.strip() in {"DEADLINE_EXCEEDED", "UNAVAILABLE"}
