"""The instruction set that a runtime may use: "what would a standard build have cost me?".

Each runtime brings kernels for several instruction sets and picks the best that the CPU has. Here the
choice is held down, by the runtimes' own environment variables, which they read when they start. So
`apply` must run before the runtime is imported, and holds for the whole process.

What the switch covers, with milliseconds for one image on one core of an AMD EPYC (Zen 4), seen once by
hand; a sweep with one backend for each level shows those of another machine:

- tensorflow: everything that oneDNN computes, above all convolutions and matrix products (a residual network
  of 3.7 million parameters: sse41 47, avx 27, avx2 22, avx512 14). TensorFlow leaves oneDNN out on older
  CPUs, so it is switched on. Not covered are the other kernels, which are compiled for one instruction set;
  the wheel needs AVX anyway, so sse41 is a bound for the time of an SSE4.1 build, not that build.
- openvino: everything, as all its kernels are made by oneDNN or its generator (the same network: avx 49,
  avx2 14, avx512 14; bf16 on avx512 33, on avx512_bf16 7). With SSE4.1 it can't load that network.
- pytorch: oneDNN, for convolutions (four of them: sse41 42, avx 24, avx2 19, avx512 18), and its own kernels,
  for operations on each element. Not covered are matrix products in MKL, which has switches of its own.
- opencv: its own kernels (four convolutions: sse41 26, avx, avx2 and avx512 17 to 20, no difference seen).
- ONNX Runtime and LiteRT have no such switch, so they are refused.

Decoding and resizing images outside the graph is never slowed down: it is the same on every level.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from serving.errors import LoadFailed, StartRefused

CPU_INFO = Path("/proc/cpuinfo")
AUTO = "auto"  # no runtime named
ONEDNN = "ONEDNN_MAX_CPU_ISA"
LEVEL = "SERVING_HELD_TO_ISA"  # stands beside the runtimes' own variables, for `check`

# Least first: what the CPU must have, by the names in /proc/cpuinfo. Each level has those before it too.
LEVELS: dict[str, tuple[str, ...]] = {
    "sse41": ("sse4_1",),
    "avx": ("avx",),
    "avx2": ("avx2", "fma"),
    "avx512": ("avx512f", "avx512bw", "avx512dq", "avx512vl"),
    "avx512_bf16": ("avx512_bf16",),
}
ONEDNN_NAMES = {
    "sse41": "SSE41",
    "avx": "AVX",
    "avx2": "AVX2",
    "avx512": "AVX512_CORE",
    "avx512_bf16": "AVX512_CORE_BF16",
}
ATEN_NAMES = {
    "sse41": "default",
    "avx": "default",
    "avx2": "avx2",
    "avx512": "avx512",
    "avx512_bf16": "avx512",
}
OPENCV_DISABLES = {
    "sse41": "AVX512-SKX,AVX2,FMA3,FP16,AVX,SSE4.2",
    "avx": "AVX512-SKX,AVX2,FMA3",
    "avx2": "AVX512-SKX",
    "avx512": "",
}
SWITCHES: dict[str, dict[str, Mapping[str, str]]] = {  # runtime, level: environment
    "tensorflow": {
        level: {ONEDNN: name, "TF_ENABLE_ONEDNN_OPTS": "1"} for level, name in ONEDNN_NAMES.items()
    },
    "openvino": {level: {ONEDNN: name} for level, name in ONEDNN_NAMES.items() if level != "sse41"},
    "pytorch": {
        level: {ONEDNN: name, "ATEN_CPU_CAPABILITY": ATEN_NAMES[level]}
        for level, name in ONEDNN_NAMES.items()
    },
    "opencv": {level: {"OPENCV_CPU_DISABLE": names} for level, names in OPENCV_DISABLES.items()},
}


def apply(runtime_name: str, isa: str) -> None:
    """Hold a runtime that is not imported yet to a level; "": all that the CPU has.

    With AUTO the runtime is known only when the model's file is: then `check` tells whether it obeys.
    Raises StartRefused for a level that nobody knows, that the CPU lacks, or that the runtime can't be
    held to.
    """
    if isa:
        os.environ.update(environment(runtime_name, isa, cpu_flags()), **{LEVEL: isa})


def environment(runtime_name: str, isa: str, flags: Collection[str]) -> Mapping[str, str]:
    """The variables that do it, on a CPU with these flags. Raises StartRefused as above."""
    if isa not in LEVELS:
        raise StartRefused(f"isa {isa!r} is unknown. There are {', '.join(LEVELS)}; leave it out for all.")
    missing = [flag for flag in _needed(isa) if flag not in flags]
    if missing:
        raise StartRefused(f"isa={isa}: this CPU has no {', '.join(missing)}. Choose a lower one.")
    if runtime_name == AUTO:
        return {name: value for each in SWITCHES.values() for name, value in each.get(isa, {}).items()}
    if problem := _unable(runtime_name, isa):
        raise StartRefused(problem)
    return SWITCHES[runtime_name][isa]


def check(runtime_name: str) -> None:
    """Raises LoadFailed when this process is held to a level, and the runtime would not obey."""
    isa = held_to()
    if isa and (problem := _unable(runtime_name, isa)):
        raise LoadFailed(problem)


def _unable(runtime_name: str, isa: str) -> str | None:
    levels = SWITCHES.get(runtime_name, {})
    if not levels:
        return (
            f"isa={isa}: the runtime {runtime_name} has no switch for its instruction set. "
            f"Leave isa out, or choose {' or '.join(SWITCHES)}."
        )
    if isa not in levels:
        return f"isa={isa}: the runtime {runtime_name} can only be held to {', '.join(levels)}."
    return None


def require_bf16() -> None:
    """Raises LoadFailed unless the CPU has instructions for bf16 and the level that holds leaves them."""
    if held_to() in {None, "avx512_bf16"} and {"avx512_bf16", "amx_bf16"} & cpu_flags():
        return
    raise LoadFailed(
        "This CPU, or the isa it is held to, can only imitate bf16, slower than f32. Choose precision f32."
    )


def held_to() -> str | None:
    """The level that holds in this process; None: all that the CPU has."""
    return os.environ.get(LEVEL)


def cpu_flags() -> frozenset[str]:
    """Of the first core, as Linux calls them. Empty on a CPU that is no x86."""
    for line in CPU_INFO.read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return frozenset(value.split())
    return frozenset()


def _needed(isa: str) -> list[str]:
    levels = list(LEVELS)
    return [flag for level in levels[: levels.index(isa) + 1] for flag in LEVELS[level]]
