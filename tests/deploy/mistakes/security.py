"""Mistakes about what a pod may do, where it runs and what stands readable in it."""

from __future__ import annotations

from tests.deploy.mistakes import Objects, Table, main, pod

WEB, SERVER, GPU = "image-resizer", "tf-serving-8cpu", "tf-serving-gpu"


def unmasked(objects: Objects) -> None:
    main(objects, SERVER)["securityContext"]["procMount"] = "Unmasked"


def other_selinux_type(objects: Objects) -> None:
    pod(objects, SERVER)["securityContext"]["seLinuxOptions"] = {"type": "spc_t"}


def unsafe_sysctl(objects: Objects) -> None:
    pod(objects, SERVER)["securityContext"]["sysctls"] = [{"name": "kernel.msgmax", "value": "1"}]


def no_apparmor(objects: Objects) -> None:
    main(objects, SERVER)["securityContext"]["appArmorProfile"] = {"type": "Unconfined"}


def volume_of_root(objects: Objects) -> None:
    del pod(objects, WEB)["securityContext"]["fsGroup"]


def readable_token(objects: Objects) -> None:
    main(objects, WEB)["env"].append({"name": "PIXELCOST_TOKEN", "value": "0123456789abcdef"})


def readable_password(objects: Objects) -> None:
    main(objects, WEB)["env"].append({"name": "DATABASE_URL", "value": "postgresql://a:b@c/d"})


def other_processor(objects: Objects) -> None:
    pod(objects, SERVER)["nodeSelector"]["kubernetes.io/arch"] = "arm64"


def thousandths_of_a_byte(objects: Objects) -> None:
    for part in main(objects, SERVER)["resources"].values():
        part["memory"] = "4m"


def no_gpu_toleration(objects: Objects) -> None:
    del pod(objects, GPU)["tolerations"]


def another_program_first(objects: Objects) -> None:
    main(objects, SERVER)["lifecycle"]["postStart"] = {"exec": {"command": ["sh"]}}


MISTAKES: Table = [
    (unmasked, "security_keys"),
    (other_selinux_type, "security_keys"),
    (unsafe_sysctl, "security_keys"),
    (no_apparmor, "security_keys"),
    (volume_of_root, "owner"),
    (readable_token, "secrets"),
    (readable_password, "secrets"),
    (other_processor, "platform node_labels"),
    (thousandths_of_a_byte, "memory"),
    (no_gpu_toleration, "gpu"),
    (another_program_first, "drain"),
]
