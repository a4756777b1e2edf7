"""Limits the instruction sets that a runtime uses: "how slow would a standard build be?".

The runtimes bring kernels for several instruction sets and choose the best that the CPU has. The limit is set
by their environment variables, which they read when they start. So `apply` must run before the runtime is
imported, and counts for the whole process.

What the limit covers, with milliseconds for one image on one core of an AMD EPYC (Zen 4), measured once by
hand; a sweep with one backend for every level measures them on another machine:

- tensorflow: everything that oneDNN computes, above all convolutions and matrix products (a residual network
  of 3.7 million parameters: sse41 47, avx 27, avx2 22, avx512 14). TensorFlow leaves oneDNN out on older
  CPUs, so it is switched on. Not covered are the other kernels, which are compiled for one instruction set;
  the wheel needs AVX anyway, so with sse41 it is faster than an SSE4.1 build.
- openvino: everything, as all its kernels are made by oneDNN or its generator (the same network: avx 49,
  avx2 14, avx512 14; bf16 on avx512 33, on avx512_bf16 7). With SSE4.1 it can't load that network.
- pytorch: oneDNN, for convolutions (four of them: sse41 42, avx 24, avx2 19, avx512 18), and its own kernels,
  for element-wise operations. Not covered are matrix products in MKL, which has switches of its own.
- opencv: its own kernels (four convolutions: sse41 26, avx, avx2 and avx512 17 to 20, no difference seen).
- ONNX Runtime and LiteRT have no such variables, so they are refused.

Decoding and resizing images outside the graph is never slowed down: it is the same at every level.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.errors import LoadFailed, StartRefused

CPU_INFO = Path("/proc/cpuinfo")
AUTO = "auto"  # no runtime chosen by name
ONEDNN = "ONEDNN_MAX_CPU_ISA"
LEVEL = "SERVING_HELD_TO_ISA"  # our own variable, for `check`


@dataclass(frozen=True)
class Level:
    """What a CPU needs for an instruction set, and how the runtimes' variables name it."""

    cpu_flags: tuple[str, ...]  # as in /proc/cpuinfo; a level needs those of the levels before it, too
    onednn: str  # ONEDNN_MAX_CPU_ISA
    aten: str  # ATEN_CPU_CAPABILITY
    opencv_off: str | None  # OPENCV_CPU_DISABLE; None: OpenCV does not have the level


LEVELS = {  # lowest first
    "sse41": Level(("sse4_1",), "SSE41", "default", "AVX512-SKX,AVX2,FMA3,FP16,AVX,SSE4.2"),
    "avx": Level(("avx",), "AVX", "default", "AVX512-SKX,AVX2,FMA3"),
    "avx2": Level(("avx2", "fma"), "AVX2", "avx2", "AVX512-SKX"),
    "avx512": Level(("avx512f", "avx512bw", "avx512dq", "avx512vl"), "AVX512_CORE", "avx512", ""),
    "avx512_bf16": Level(("avx512_bf16",), "AVX512_CORE_BF16", "avx512", None),
}
SWITCHES: dict[str, dict[str, Mapping[str, str]]] = {  # environment by runtime and level
    "tensorflow": {
        name: {ONEDNN: level.onednn, "TF_ENABLE_ONEDNN_OPTS": "1"} for name, level in LEVELS.items()
    },
    "openvino": {name: {ONEDNN: level.onednn} for name, level in LEVELS.items() if name != "sse41"},
    "pytorch": {
        name: {ONEDNN: level.onednn, "ATEN_CPU_CAPABILITY": level.aten} for name, level in LEVELS.items()
    },
    "opencv": {
        name: {"OPENCV_CPU_DISABLE": level.opencv_off}
        for name, level in LEVELS.items()
        if level.opencv_off is not None
    },
}


def apply(runtime_name: str, isa: str) -> None:
    """Limit a runtime that is not imported yet to a level; "" sets no limit.

    With AUTO the runtime is known only later, with the model's file: then `check` finds out whether it can be
    limited. Raises StartRefused for an unknown level, one that the CPU does not have, or one that the
    runtime can't be limited to.
    """
    if isa:
        os.environ.update(environment(runtime_name, isa, cpu_flags()), **{LEVEL: isa})


def environment(runtime_name: str, isa: str, flags: Collection[str]) -> Mapping[str, str]:
    """The environment variables that set the limit, on a CPU with these flags. Raises StartRefused."""
    if isa not in LEVELS:
        raise StartRefused(f"isa {isa!r} is unknown. Choose {', '.join(LEVELS)}, or leave it out for all.")
    needed = list(LEVELS)[: list(LEVELS).index(isa) + 1]
    missing = [flag for level in needed for flag in LEVELS[level].cpu_flags if flag not in flags]
    if missing:
        raise StartRefused(f"isa={isa}: this CPU does not have {', '.join(missing)}. Choose a lower one.")
    if runtime_name == AUTO:
        return {name: value for levels in SWITCHES.values() for name, value in levels.get(isa, {}).items()}
    if problem := _unable(runtime_name, isa):
        raise StartRefused(problem)
    return SWITCHES[runtime_name][isa]


def check(runtime_name: str) -> None:
    """Raises LoadFailed when this process has a limit that the runtime would ignore."""
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
        return f"isa={isa}: the runtime {runtime_name} can only be limited to {', '.join(levels)}."
    return None


def require_bf16() -> None:
    """Raises LoadFailed unless the CPU has instructions for bf16 and the limit allows them."""
    if held_to() in {None, "avx512_bf16"} and {"avx512_bf16", "amx_bf16"} & cpu_flags():
        return
    raise LoadFailed(
        "This CPU, or the isa that it is limited to, can only emulate bf16, slower than f32. "
        "Choose precision f32."
    )


def held_to() -> str | None:
    """The level that this process is limited to; None: not limited."""
    return os.environ.get(LEVEL)


def cpu_flags() -> frozenset[str]:
    """The flags of the first core in /proc/cpuinfo. Empty on a CPU other than x86."""
    for line in CPU_INFO.read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return frozenset(value.split())
    return frozenset()
