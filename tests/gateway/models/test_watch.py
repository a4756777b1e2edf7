"""Following the folder of models: what is new, changed, broken or gone."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from experiment.embedded.models_cli import StartStopped
from experiment.errors import EmbeddedFailed
from gateway.models.answers import Models
from gateway.models.catalog import CARD, VERSIONS, Model, read_catalog, set_aside
from gateway.models.envelope import OldError
from gateway.models.ids import label_id, model_id
from gateway.models.server import Status, cpu_quota
from gateway.models.watch import NO_CLASSIFIER, Watcher
from models.task import NEEDED

DETECTOR = f"It is an object detector: it gives boxes. {NEEDED}"


class FakeServer:
    """Knows what it was last asked to serve, and says of each version what `says` holds, or AVAILABLE."""

    address = "127.0.0.1:1"

    def __init__(self) -> None:
        self.listed: dict[str, int | None] = {}
        self.says: dict[int | None, Status] = {}

    def serve(self, models: Sequence[Model]) -> None:
        self.listed = {model.name: model.next_version or model.version for model in models}

    def status(self, model: Model) -> Status:
        return self.says.get(model.next_version, Status("AVAILABLE"))


class Folder:
    """A folder of models and a watcher, whose conversions take a file's text as the outcome."""

    def __init__(self, path: Path):
        self.dir, self.cache = path / "models", path / "cache"
        self.dir.mkdir()
        self.conversions: list[list[str]] = []
        self.restart()

    def restart(self) -> None:
        """As a start of the gateway does."""
        set_aside(self.cache) if self.cache.exists() else None
        self.server = FakeServer()
        self.watcher = Watcher(self.dir, self.cache, self.server, self._convert, longest_s=0.5)

    def put(self, name: str, text: str, file: str = "model.onnx") -> Path:
        """A model whose conversion gives labels, or fails with the text behind "no:"."""
        folder = self.dir / name
        folder.mkdir(exist_ok=True)
        (folder / file).write_text(text)
        return folder

    def look(self, times: int = 5) -> None:
        """Enough looks for a change to be noticed, converted and served."""
        for _ in range(times):
            self.watcher.look()
            for conversion in self.watcher._running.values():
                conversion.outcome.exception(10)

    def state(self, name: str) -> Model | None:
        return read_catalog(self.cache).models.get(name)

    def _convert(self, arguments: list[str], stop: threading.Event) -> None:
        self.conversions.append(arguments)
        source, out = Path(arguments[1]), Path(arguments[3])
        text = (source / "model.onnx").read_text()
        if text == "endless":
            assert stop.wait(10)
            raise StartStopped("ended")
        if text.startswith("no:"):
            raise EmbeddedFailed(text.removeprefix("no:"))
        card = out / "1" / CARD
        card.parent.mkdir(parents=True)
        card.write_text(json.dumps({"labels": text.split(), "made_from": text}))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_new_model_is_served_and_a_broken_one_costs_itself_only(folder: Folder) -> None:
    folder.put("pets", "cat dog")
    folder.put("cut", "no:model.onnx is damaged.")
    folder.put("boxes", f"no:{DETECTOR}")
    (folder.dir / "notes.txt").write_text("no model")
    (folder.dir / ".snapshot").mkdir()
    folder.look()
    assert set(read_catalog(folder.cache).models) == {"pets", "cut", "boxes"}
    assert folder.state("pets") == Model(
        "pets", model_id("pets"), "served", "", 1, None, folder.state("pets").fingerprint
    )
    assert (folder.state("cut").state, folder.state("cut").reason) == ("unusable", "model.onnx is damaged.")
    assert (folder.state("boxes").state, folder.state("boxes").reason) == ("other_task", DETECTOR)
    assert folder.server.listed == {"pets": 1}
    folder.put("birds", "owl jay")
    folder.look()
    assert folder.server.listed == {"pets": 1, "birds": 1}
    assert len(folder.conversions) == 4  # none twice


def test_the_words_by_which_a_detector_is_told_are_those_of_convert() -> None:
    assert NEEDED.startswith(NO_CLASSIFIER)


def test_a_folder_that_is_still_being_copied_is_left_alone(folder: Folder) -> None:
    for part in ("c", "ca", "cat"):
        folder.put("pets", part)
        folder.look(1)
    assert folder.conversions == []
    assert folder.state("pets").state == "preparing"
    folder.put("pets", "cat dog")
    folder.look()
    assert len(folder.conversions) == 1


def test_a_changed_model_becomes_the_next_version_and_the_one_before_answers_until_it_is_ready(
    folder: Folder,
) -> None:
    folder.put("pets", "cat dog")
    folder.look()
    folder.server.says[2] = Status("LOADING")
    folder.put("pets", "cat dog owl")
    folder.look()
    assert folder.server.listed == {"pets": 2}
    assert (folder.state("pets").state, folder.state("pets").version) == ("served", 1)
    assert Models(folder.dir, folder.cache).labels("pets") == ["cat", "dog"]
    folder.server.says.clear()
    folder.look(1)
    assert (folder.state("pets").version, folder.state("pets").next_version) == (2, None)
    assert Models(folder.dir, folder.cache).labels("pets") == ["cat", "dog", "owl"]
    for text in ("a b", "b c", "c d"):
        folder.put("pets", text)
        folder.look()
    kept = sorted(path.name for path in (folder.cache / VERSIONS / model_id("pets")).iterdir())
    assert kept == ["4", "5"]


@pytest.mark.parametrize("way", ["conversion", "loading"])
def test_a_change_that_is_broken_leaves_what_is_served_and_says_why(folder: Folder, way: str) -> None:
    folder.put("pets", "cat dog")
    folder.look()
    folder.server.says[2] = Status("END", "no memory")
    folder.put("pets", "no:It is damaged." if way == "conversion" else "cat owl")
    folder.look()
    pets = folder.state("pets")
    assert (pets.state, pets.version, folder.server.listed) == ("served", 1, {"pets": 1})
    assert pets.reason.startswith("Its newest files are not served, but those before are: ")
    assert pets.reason.endswith("It is damaged." if way == "conversion" else "no memory")


def test_a_model_that_is_taken_out_is_no_longer_served_and_leaves_nothing(folder: Folder) -> None:
    shutil.move(folder.put("pets", "cat dog"), folder.dir / "animals")
    folder.look()
    shutil.rmtree(folder.dir / "animals")
    folder.look(1)
    assert folder.server.listed == {} == dict(read_catalog(folder.cache).models)
    assert list((folder.cache / VERSIONS).iterdir()) == []


def test_a_folder_of_models_that_vanishes_for_a_while_takes_nothing_away(folder: Folder) -> None:
    folder.put("pets", "cat dog")
    folder.look()
    folder.dir.rename(folder.dir.with_name("unmounted"))
    folder.look()
    assert (folder.server.listed, folder.state("pets").state) == ({"pets": 1}, "served")


def test_a_restart_serves_what_was_converted_before_and_converts_what_changed_meanwhile(
    folder: Folder,
) -> None:
    folder.put("pets", "cat dog")
    folder.put("birds", "owl jay")
    folder.look()
    folder.put("birds", "owl")
    folder.restart()
    assert read_catalog(folder.cache).models == {}  # its model server is gone
    folder.look()
    assert folder.server.listed == {"pets": 1, "birds": 2}
    assert [arguments[5] for arguments in folder.conversions] == ["birds", "pets", "birds"]


def test_touched_files_make_no_new_version(folder: Folder) -> None:
    model = folder.put("pets", "cat dog") / "model.onnx"
    folder.look()
    model.write_text("cat dog")
    folder.look()
    assert (len(folder.conversions), folder.state("pets").version) == (2, 1)


def test_one_that_failed_is_tried_again_when_asked_and_one_that_is_served_is_not(folder: Folder) -> None:
    folder.put("pets", "no:The machine has too little memory.")
    folder.put("birds", "owl")
    folder.look()
    asked = Models(folder.dir, folder.cache)
    with pytest.raises(OldError, match="too little memory"):
        asked.load("pets", force=True)
    asked.load("birds", force=True)
    folder.look()
    assert [arguments[5] for arguments in folder.conversions] == ["birds", "pets", "pets"]


def test_a_conversion_without_an_end_is_ended_and_the_next_ones_go_on(folder: Folder) -> None:
    folder.put("a", "endless")
    folder.put("b", "owl jay")
    folder.look()
    assert (folder.state("a").state, folder.state("b").state) == ("unusable", "served")
    assert folder.state("a").reason.startswith("Converting it was ended after ")


def test_confidence_and_predictions_convert_nothing_anew_but_options_and_types_do(folder: Folder) -> None:
    pets = folder.put("pets", "cat dog")
    folder.look()
    for text, conversions in (
        ('{"confidence": 60}', 1),
        ('{"confidence": 7, "predictions": 100}', 1),
        ('{"convert": {"preprocess": "tf", "logits": true, "labels": "names.txt"}}', 2),
        ('{"type": "detection"}', 3),
        ('{"confidence": 700}', 3),
    ):
        (pets / "config.json").write_text(text)
        folder.look()
        assert len(folder.conversions) == conversions, text
    assert folder.conversions[1][6:] == ["--preprocess=tf", "--logits", f"--labels={pets / 'names.txt'}"]
    assert "confidence is 700, but must be a percentage" in folder.state("pets").reason


def test_it_is_ready_when_all_models_of_the_start_are_decided_and_stays_so(folder: Folder) -> None:
    folder.put("pets", "cat dog")
    folder.server.says[1] = Status("LOADING")
    folder.look()
    asked = Models(folder.dir, folder.cache)
    assert "converted and loaded: pets" in asked.why_not_ready()
    with pytest.raises(OldError) as caught:
        asked.labels("pets")
    assert (caught.value.http_status, caught.value.code) == (503, "ModelNotLoaded")
    folder.server.says.clear()
    folder.look(1)
    assert asked.why_not_ready() is None
    folder.server.says[1] = Status("LOADING")
    folder.put("birds", "owl")
    folder.look()
    assert (folder.state("birds").state, asked.why_not_ready()) == ("preparing", None)


@pytest.mark.parametrize(
    ("written", "threads"),
    [("200000 100000", 2), ("150000 100000", 1), ("50000 100000", 1), ("max 100000", None), ("", None)],
)
def test_a_container_with_a_share_of_the_cpus_gets_as_many_threads(tmp_path, written, threads):
    (tmp_path / "cpu.max").write_text(f"{written}\n")
    assert cpu_quota(tmp_path / "cpu.max") == threads
    assert cpu_quota(tmp_path / "none") is None


def test_ids_follow_from_names_alone() -> None:
    assert model_id("pets") == "660cdbf5-cf87-5893-9a7b-619f757bc975"
    assert label_id("pets", "cat") != label_id("birds", "cat")
