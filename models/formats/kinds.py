"""The kinds of model files, one row for every kind, and finding the model at a path.

The row of a kind that can't be converted has a sentence on what to do instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from models.formats.onnx_reader import external_files
from models.formats.sniff import Damaged, kind_of
from models.placing import card_of
from models.problems import ModelProblem

GRAPH_FILE = "saved_model.pb"
CLUSTER_SERVING = "Cluster Serving configuration"


@dataclass(frozen=True)
class Kind:
    """One kind of model file."""

    name: str
    runtimes: Mapping[str, str] | None = None  # that serve its files as they are -> their packages
    stored_as: str = ""  # the main file's name for the model server
    way_on: str = ""  # why it can't be converted, and what to do


ONNX = {"onnxruntime": "onnxruntime", "openvino": "openvino", "opencv": "cv2"}
CONVERTED = (
    Kind("SavedModel"),
    Kind("Keras"),
    Kind("Keras HDF5"),
    Kind("frozen GraphDef"),
    Kind("TFLite", {"litert": "ai_edge_litert", "openvino": "openvino"}, "model.tflite"),
    Kind("ONNX", ONNX, "model.onnx"),
    Kind("OpenVINO IR", {"openvino": "openvino"}, "model.xml"),
    Kind("TorchScript", {"pytorch": "torch"}, "model.pt"),
    Kind("torch.export", {"pytorch": "torch"}, "model.pt2"),
    Kind("Caffe", {"opencv": "cv2"}, "model.caffemodel"),
)
TORCH = "Load it in the Python code that made it, then torch.export.export() or torch.jit.trace() the model."
WAYS_ON = {
    "Keras weights": "It holds weights only. Build the model in Python, load_weights() this file and save it "
    "whole: model.save('model.keras').",
    "pickled PyTorch": "It is a pickle (a state dict or a whole module), which could run code when it is "
    f"loaded. {TORCH}",
    "safetensors": f"It holds weights without a network. {TORCH}",
    "BigDL": "Export it to ONNX where BigDL or Analytics Zoo is installed, or take the model that it was "
    "imported from, and convert that.",
    "TensorFlow checkpoint": "It holds weights without a graph. Load it in the code that trained it and "
    "export a SavedModel: model.export(DIR) in Keras, tf.saved_model.save(model, DIR) elsewhere.",
    "SavedModel as text": "Save it as saved_model.pb: as_text=False.",
    "GraphDef as text": "Write it as bytes: tf.io.write_graph(graph, DIR, 'frozen.pb', as_text=False).",
    "Caffe description": "It describes a network, but its weights are missing: put them beside it.",
    CLUSTER_SERVING: "It names a model and holds none.",
    "Git LFS pointer": "The model itself is not there yet: git lfs pull.",
    "web page": "A download gave a page instead of the model: look at it, and fetch it again.",
}
KINDS = {row.name: row for row in (*CONVERTED, *(Kind(name, way_on=way) for name, way in WAYS_ON.items()))}
NO_MODEL_NAMES = {".txt", ".md", ".json", ".jpg", ".png", ".py", ".bin", ".csv", ".yaml", ".yml"}


@dataclass(frozen=True)
class Found:
    """A model: its main file (the directory of a SavedModel), and other files that belong to it."""

    kind: Kind
    path: Path
    beside: tuple[Path, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file's name without its ending, or the name of the folder that holds the version."""
        path = self.path.resolve()
        return path.parent.name if path.name.isdecimal() else path.stem

    @property
    def card(self) -> dict[str, object]:
        """Pixelcost's card in the model's folder; empty if the model was not exported or converted here."""
        return card_of(self.path if self.path.is_dir() else self.path.parent)

    @property
    def size_bytes(self) -> int:
        files = self.path.rglob("*") if self.path.is_dir() else [self.path, *self.beside]
        return sum(file.stat().st_size for file in files if file.is_file())


def find(path: Path) -> Found:
    """The model at a path: a file, a folder with one model, or a folder of numbered versions (the newest).

    Raises ModelProblem with what was found instead.
    """
    if not path.exists():
        raise ModelProblem(f"{path} does not exist. Give the file of a model, or the folder that holds it.")
    if path.is_dir():
        return _in_directory(path)
    if not path.is_file():
        raise ModelProblem(f"{path} is neither a file nor a folder. Give the file of a model.")
    if path.name == GRAPH_FILE:
        return _in_directory(path.absolute().parent)
    kind = kind_of(path)
    if kind is None:
        raise ModelProblem(_no_model(path))
    if kind == "Caffe description":
        return _of_description(path)
    return _with_companions(KINDS[kind], path)


def _in_directory(directory: Path) -> Found:
    found, skipped = models_in(directory)
    if (directory / GRAPH_FILE).is_file():
        others = [file.name for _, file in found if file.name != GRAPH_FILE]
        remarks = [f"beside the SavedModel lies {', '.join(others)}: not looked at"] if others else []
        return Found(KINDS["SavedModel"], directory, remarks=tuple(remarks))
    whole = [(kind, file) for kind, file in found if not kind.way_on]
    if len(whole) > 1:
        listed = ", ".join(f"{file.name} ({kind.name})" for kind, file in whole)
        raise ModelProblem(f"{directory} holds several models: {listed}. Leave one there, or name its file.")
    if whole:
        remarks = [f"skipped: {problem}" for problem in skipped]
        return replace(_with_companions(*whole[0]), remarks=tuple(remarks))
    if skipped:
        raise skipped[0]
    if found:
        return Found(*found[0])
    versions = [path for path in directory.iterdir() if path.name.isdecimal() and path.is_dir()]
    if versions:
        return _in_directory(max(versions, key=lambda path: int(path.name)))
    names = sorted(entry.name for entry in directory.iterdir())
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    raise ModelProblem(f"{directory} holds no model: found {listed or 'nothing'}. {_unknown_in(directory)}")


def _unknown_in(directory: Path) -> str:
    """What to do in a folder without a model: of files that may be meant for one, the first is named."""
    files = (file for file in sorted(directory.iterdir()) if file.is_file())
    for file in files:
        if file.suffix not in NO_MODEL_NAMES:
            known = ", ".join(kind.name for kind in CONVERTED)
            return f"If {file.name} is meant, it is damaged or of an unknown kind. Known are {known}."
    return "Put the model's file into it, or name that file."


def models_in(directory: Path) -> tuple[list[tuple[Kind, Path]], list[Exception]]:
    """The models in a folder, and why files that may not be the one that is meant can't be read."""
    found: list[tuple[Kind, Path]] = []
    skipped: list[Exception] = []
    for file in sorted(directory.iterdir()):
        if not file.is_file() or file.suffix in NO_MODEL_NAMES:
            continue
        try:
            kind = kind_of(file)
        except (ModelProblem, OSError) as problem:
            skipped.append(problem)
            continue
        if kind in KINDS:
            found.append((KINDS[kind], file))
    return found, skipped


def _with_companions(kind: Kind, file: Path) -> Found:
    match kind.name:
        case "SavedModel":
            if file.name == GRAPH_FILE:
                return _in_directory(file.absolute().parent)
            raise ModelProblem(f"{file} is the graph of a SavedModel. Rename it to {GRAPH_FILE}.")
        case "OpenVINO IR":
            return Found(kind, file, (_companion(kind, file, ".bin", "weights"),))
        case "Caffe":
            return Found(kind, file, (_companion(kind, file, ".prototxt", "description"),))
        case "ONNX":
            return Found(kind, file, tuple(external_files(file)))
        case _:
            return Found(kind, file)


def _companion(kind: Kind, file: Path, suffix: str, what: str) -> Path:
    """The file with the same name and the other suffix, else the only one with that suffix."""
    same = file.with_suffix(suffix)
    others = sorted(file.parent.glob(f"*{suffix}"))
    if same.is_file():
        return same
    if len(others) == 1:
        return others[0]
    why = f"; of several {suffix} files none has that name" if others else ""
    raise Damaged(file, kind.name, f"{same.name} with its {what} is missing{why}")


def _of_description(prototxt: Path) -> Found:
    weights = sorted(prototxt.parent.glob("*.caffemodel"))
    same = [file for file in weights if file.stem == prototxt.stem]
    if len(same or weights) != 1:
        return Found(KINDS["Caffe description"], prototxt)
    return Found(KINDS["Caffe"], (same or weights)[0], (prototxt,))


def _no_model(file: Path) -> str:
    with file.open("rb") as opened:
        start = opened.read(16)
    if not start:
        return f"{file} is empty. Copy or export it again."
    known = ", ".join(kind.name for kind in CONVERTED)
    return f"{file} is not a known kind of model: it starts with {start!r}. Known are {known}."
