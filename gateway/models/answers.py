"""Answers questions about the folder of models, in the form of the earlier API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.models.catalog import Catalog, Model, card, read_catalog
from gateway.models.envelope import (
    InferenceEngineNotFound,
    InvalidInputData,
    InvalidModelConfiguration,
    ModelNotFound,
    ModelNotLoaded,
)
from gateway.models.ids import label_id
from gateway.models.old_config import ConfigUnusable, OldConfig, read_config
from gateway.models.predict import Predictor, Scored, scored
from gateway.models.watch import AGAIN

BOXES: Final = "bounding-boxes"  # the member's name in the earlier API


class Image(NamedTuple):
    """An encoded image, checked already."""

    name: str
    data: bytes
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A model that can be asked, and what its config.json says now."""

    model: Model
    config: OldConfig


class Models:
    """The folder of models, read anew for each question: this process keeps no state of its own."""

    def __init__(self, models_dir: Path, cache: Path):
        self._models_dir, self._cache = models_dir, cache
        self._predictor = Predictor()

    def catalog(self) -> Catalog:
        """What is known now. Raises ModelNotLoaded in the first second, when that is nothing."""
        found = read_catalog(self._cache)
        if not found.server:
            raise ModelNotLoaded("The folder of models has not been looked at yet. Try again in a second.")
        return found

    def why_not_ready(self) -> str | None:
        """A sentence until each model that was there at the start is served, or can't be; then None."""
        catalog = read_catalog(self._cache)
        if catalog.is_ready:
            return None
        waiting = [model.name for model in catalog.models.values() if model.state == "preparing"]
        return f"Models are being converted and loaded: {', '.join(waiting) or 'the folder is looked at'}."

    def listed(self) -> dict[str, Any]:
        """Every sub-folder; one that is not served with the reason."""
        models = self.catalog().models.values()
        details = [
            {
                "name": model.name,
                "id": model.id,
                "state": model.state,
                "version": model.version,
                "reason": model.reason or None,
            }
            for model in models
        ]
        return {"models": [model.name for model in models], "details": details}

    def ids(self) -> dict[str, str]:
        """Name -> id of the models that are served or about to be."""
        models = self.catalog().models.values()
        return {model.name: model.id for model in models if model.state in {"served", "preparing"}}

    def load(self, name: str, *, force: bool) -> None:
        """Nothing has to be loaded: raises OldError if the model is not served, with the reason.

        `force` has one that failed converted again, within a second.
        """
        model = self._found(name)
        if force:
            (self._cache / AGAIN / model.id).touch()
        self._served(model)

    def labels(self, name: str) -> list[str]:
        """The classes in the order of the model's scores. Raises OldError."""
        asked = self.asked(name)
        return self._labels(asked.model, asked.model.version or 0)

    def label_ids(self, name: str) -> dict[str, str]:
        """Label -> id. Raises OldError."""
        model = self.asked(name).model
        return {label: label_id(model.name, label) for label in self._labels(model, model.version or 0)}

    def config(self, name: str) -> dict[str, Any]:
        """The config.json with the values that count now, and what the model is. Raises OldError."""
        asked = self.asked(name)
        about = card(self._cache, asked.model.id, asked.model.version or 0)
        return {
            **(asked.config.written or {}),
            "confidence": asked.config.confidence,
            "predictions": asked.config.predictions,
            "id": asked.model.id,
            "version": asked.model.version,
            "classes": len(self._labels(asked.model, asked.model.version or 0)) or None,
            "converted_from": about.get("converted_from"),
            "pixels": about.get("pixels"),
        }

    def asked(self, name: str) -> Asked:
        """The model of that name or id, if it is served. Raises OldError."""
        model = self._served(self._found(name))
        try:
            return Asked(model, read_config(self._models_dir / model.name))
        except ConfigUnusable as problem:
            raise InvalidModelConfiguration(f"{model.name}: {problem}") from None

    def predict(self, asked: Asked, images: Sequence[Image]) -> list[dict[str, Any]]:
        """What each image is, from one batch. Raises OldError, which names an image that is refused."""
        try:
            return self._answers(asked, images)
        except InvalidInputData:
            if len(images) == 1:
                raise
        # The model takes one image at a time, or one of these is not an image for it: each one alone.
        return [answer for image in images for answer in self._alone(asked, image)]

    def _alone(self, asked: Asked, image: Image) -> list[dict[str, Any]]:
        try:
            return self._answers(asked, [image])
        except InvalidInputData as problem:
            raise InvalidInputData(f"{image.name}: {problem.message}") from None

    def _answers(self, asked: Asked, images: Sequence[Image]) -> list[dict[str, Any]]:
        model = asked.model
        response, version = self._predictor.predict(
            self.catalog().server, model.id, [image.data for image in images]
        )
        rows = scored(response, self._labels(model, version), len(images))
        return [{BOXES: found(row, image, asked.config)} for row, image in zip(rows, images, strict=True)]

    def _labels(self, model: Model, version: int) -> list[str]:
        return [str(label) for label in card(self._cache, model.id, version).get("labels") or ()]

    def _found(self, name: str) -> Model:
        catalog = self.catalog()
        model = catalog.find(name)
        if model is None:
            known = ", ".join(sorted(catalog.models)[:20]) or "none yet"
            raise ModelNotFound(f"The folder of models has no {name[:100]!r}. It has: {known}.")
        return model

    def _served(self, model: Model) -> Model:
        """The model, if it is served. Raises OldError."""
        match model.state:
            case "served":
                return model
            case "preparing":
                raise ModelNotLoaded(
                    f"{model.name} is being converted and loaded. Try again in some seconds."
                )
            case "other_task":
                raise InferenceEngineNotFound(f"{model.name}: {model.reason}")
            case _:
                raise InvalidModelConfiguration(f"{model.name}: {model.reason}")


def found(row: Scored, image: Image, config: OldConfig) -> list[dict[str, Any]]:
    """The classes that reach the confidence, best first, each with the whole image as its box."""
    whole = {"left": 0, "top": 0, "right": image.width_px, "bottom": image.height_px}
    classes = zip(row.indices, row.labels, row.probabilities, strict=True)
    return [
        {
            "ObjectClassName": label,
            "confidence": 100 * probability,
            "coordinates": dict(whole),
            "ObjectClassId": index,
        }
        for index, label, probability in list(classes)[: config.predictions]
        if 100 * probability >= config.confidence
    ]
