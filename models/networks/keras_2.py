"""Makes the configurations in Keras 2 files readable for Keras 3, by leaving out what it no longer knows.

Only what changes no answer is left out: options with their default, options that a layer only inherited, and
how weights were initialised, because they are loaded. Source: what get_config() returned in Keras 2.15
(Apache-2.0), keras/src/layers.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py

from models.formats.kinds import Found

CONFIGURATION = "model_config"  # an attribute of the HDF5 file
MEMBER = "config.json"  # of the archive
INHERITED = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")  # of a separable convolution
IN_GROUPS = (
    *("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"),
    *("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
)
DEFAULTS: Mapping[str, Mapping[str, object]] = {
    **{name: {"groups": 1} for name in IN_GROUPS},
    "BatchNormalization": {"renorm": False, "virtual_batch_size": None},
    "LSTM": {"time_major": False},
    "GRU": {"time_major": False},
}
NEVER_USED: Mapping[str, tuple[str, ...]] = {
    "SeparableConv1D": INHERITED,
    "SeparableConv2D": INHERITED,
    "BatchNormalization": ("fused", "renorm_clipping", "renorm_momentum", "adjustment"),
    "MultiHeadAttention": ("query_shape", "key_shape", "value_shape"),  # follow from the layers before it
    **{f"SpatialDropout{rank}D": ("trainable", "noise_shape") for rank in (1, 2, 3)},
}


@contextmanager
def for_keras_3(found: Found) -> Iterator[Path]:
    """The file if Keras 3 can read it; else a copy with a changed configuration, until the block ends.

    Raises OSError, ValueError, KeyError and what h5py and zipfile raise for damaged files.
    """
    written = _configuration(found)
    taken = _taken(written)
    if taken == written:
        yield found.path
        return
    with TemporaryDirectory(prefix="keras-") as scratch:
        copy = Path(scratch) / f"model{'.h5' if found.kind.name == 'Keras HDF5' else '.keras'}"
        _write(found, copy, json.dumps(taken))
        yield copy


def _configuration(found: Found) -> Any:
    if found.kind.name == "Keras HDF5":
        with h5py.File(found.path, "r") as file:
            return json.loads(file.attrs[CONFIGURATION])
    with zipfile.ZipFile(found.path) as archive:
        return json.loads(archive.read(MEMBER))


def _write(found: Found, copy: Path, configuration: str) -> None:
    if found.kind.name == "Keras HDF5":
        shutil.copyfile(found.path, copy)
        with h5py.File(copy, "r+") as file:
            file.attrs[CONFIGURATION] = configuration
        return
    with zipfile.ZipFile(found.path) as source, zipfile.ZipFile(copy, "w") as target:
        for info in source.infolist():
            target.writestr(info, configuration if info.filename == MEMBER else source.read(info))


def _taken(written: Any) -> Any:
    """A configuration, or a part of one, as Keras 3 reads it."""
    if isinstance(written, list):
        return [_taken(part) for part in written]
    if not isinstance(written, dict):
        return written
    taken = {key: _taken(value) for key, value in written.items()}
    name, config = taken.get("class_name"), taken.get("config")
    return {**taken, "config": _of_class(name, config)} if isinstance(config, dict) else taken


def _of_class(name: Any, config: dict[str, Any]) -> dict[str, Any]:
    defaults, unused = DEFAULTS.get(str(name), {}), NEVER_USED.get(str(name), ())
    kept = {
        key: _value(key, value)
        for key, value in config.items()
        if key not in unused and not (key in defaults and value == defaults[key])
    }
    if name == "BatchNormalization" and isinstance(kept.get("axis"), list) and len(kept["axis"]) == 1:
        kept["axis"] = kept["axis"][0]
    return kept


def _value(key: str, value: Any) -> Any:
    """An option's value: a type is replaced by its name, and an initialiser loses its type."""
    if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
        return value
    if key == "dtype" and value.get("class_name") == "Policy":
        return value["config"].get("name", value)
    if key.endswith("_initializer"):
        return {**value, "config": {k: v for k, v in value["config"].items() if k != "dtype"}}
    return value
