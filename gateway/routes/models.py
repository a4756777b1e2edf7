"""The folder of models, at the addresses and in the form of BMW InnovationLab's inference APIs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from experiment.errors import PixelcostError
from gateway.models.answers import BOXES, Image, Models
from gateway.models.envelope import (
    AGAIN_S,
    InferenceEngineNotFound,
    InvalidInputData,
    ModelNotFound,
    ModelNotLoaded,
    OldError,
    bad,
    good,
)
from gateway.problems import largest_body
from gateway.routes.schemas import BINARY, record
from gateway.services import services
from gateway.table import Answer, Parameter, Route

FIELDS: Final = ("input_data", "image")  # of its newer and its older addresses
YES, NO = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off", ""})
CAN_NOT: Final = "There is no detector and no character recognition here, only classification: "

View = Callable[..., ResponseReturnValue]


def in_old_form(view: View) -> View:
    """Answer what goes wrong in a view in the earlier API's form, with a true status."""

    @wraps(view)
    def answer(*args: Any, **parts: Any) -> ResponseReturnValue:
        try:
            return view(*args, **parts)
        except OldError as error:
            return _refused(error)
        except HTTPException as error:
            status = error.code or 400
            limit = f"The limit is {largest_body()} for all images of a request."
            message = limit if status == 413 else str(error.description)
            return _refused(InvalidInputData(message, status))
        except PixelcostError as error:
            return _refused(
                InvalidInputData(error.message, error.http_status), getattr(error, "retry_after_s", None)
            )

    return answer


def _refused(error: OldError, again_s: int | None = None) -> ResponseReturnValue:
    is_passing = isinstance(error, ModelNotLoaded) or error.http_status == 503
    seconds = again_s or (AGAIN_S if is_passing else None)
    return jsonify(bad(error)), error.http_status, {"Retry-After": str(seconds)} if seconds else {}


@in_old_form
def list_models() -> ResponseReturnValue:
    """Every sub-folder of the folder of models."""
    return jsonify(good(_models().listed()))


@in_old_form
def load_all() -> ResponseReturnValue:
    """Name -> id; nothing has to be loaded."""
    return jsonify(_models().ids())


@in_old_form
def load_one(name: str) -> ResponseReturnValue:
    """Whether the model is served."""
    force = request.args.get("force", "").lower()
    if force not in YES | NO:
        raise InvalidInputData(f"force={force[:40]} must be true or false.", 422)
    _models().load(name, force=force in YES)
    return jsonify(good(None))


@in_old_form
def labels(name: str) -> ResponseReturnValue:
    """Its classes in the order of its scores."""
    return jsonify(good(_models().labels(name)))


@in_old_form
def config(name: str) -> ResponseReturnValue:
    """Its config.json, and what it is."""
    return jsonify(good(_models().config(name)))


@in_old_form
def get_labels() -> ResponseReturnValue:
    """Label -> id of the model in the form."""
    return jsonify(_models().label_ids(_model_in_form()))


@in_old_form
def predict(name: str) -> ResponseReturnValue:
    """What one image is."""
    return jsonify(good(_predicted(name, most=1)[0]))


@in_old_form
def predict_batch(name: str) -> ResponseReturnValue:
    """What each image is, from one request to the model server."""
    return jsonify(good(_predicted(name, with_names=True)))


@in_old_form
def detect() -> ResponseReturnValue:
    """The same for the model in the form. Older clients look for the boxes beside `data`."""
    app = services()
    with app.receiver.photos(request, FIELDS[::-1]) as photos:
        found = _answers(_models(), _model_in_form(), photos, 1)[0]
    return jsonify(good(found, **{BOXES: found[BOXES]}))


@in_old_form
def predict_image(name: str) -> ResponseReturnValue:
    """An image with boxes drawn on it."""
    raise InferenceEngineNotFound(f"{CAN_NOT}no boxes can be drawn. Send it to /models/{name}/predict.")


@in_old_form
def ocr(name: str) -> ResponseReturnValue:
    """The text in an image."""
    raise InferenceEngineNotFound(
        f"{CAN_NOT}no text is read. Send it to /models/{name}/predict for its class."
    )


@in_old_form
def one_shot_ocr(name: str) -> ResponseReturnValue:
    """The text in what a detector found."""
    raise InferenceEngineNotFound(
        f"{CAN_NOT}no text is read. Send it to /models/{name}/predict for its class."
    )


def _models() -> Models:
    found = services().models
    if found is None:
        raise ModelNotFound("This gateway serves no folder of models. Start it with --models_dir DIR.")
    return found


def _model_in_form() -> str:
    name = request.form.get("model", "").strip()
    if not name:
        raise InvalidInputData(
            "The form needs a field `model` with a model's name or id. GET /models lists them.", 422
        )
    return name


def _predicted(name: str, most: int | None = None, *, with_names: bool = False) -> list[dict[str, Any]]:
    """The answer to each image of the request, in the order sent."""
    models = _models()
    models.asked(name)  # before the images arrive
    with services().receiver.photos(request, FIELDS) as photos:
        found = _answers(models, name, photos, most)
        names = [photo.name for photo in photos]
    if not with_names:
        return found
    return [{**answer, "ImageName": name} for answer, name in zip(found, names, strict=True)]


def _answers(models: Models, name: str, photos: Any, most: int | None) -> list[dict[str, Any]]:
    app, asked = services(), models.asked(name)
    if most and len(photos) > most:
        raise InvalidInputData(
            f"It has {len(photos)} images. Send several to /models/{name}/predict_batch.", 422
        )
    app.bucket.take()
    with app.receiver.contents(photos) as contents:
        images = [
            Image(photo.name, data, header.width_px, header.height_px)
            for photo, (data, header) in zip(photos, contents, strict=True)
        ]
        return models.predict(asked, images)


_MODELS: Final = "Models"
_OLD: Final = "The earlier form: classes as boxes around the whole image."
_NAME: Final = {"type": "string", "pattern": r"\S", "description": "Name or id of a model."}
_BOX: Final = record(
    ObjectClassName={"type": "string"},
    confidence={"type": "number", "minimum": 0, "maximum": 101, "description": "Percent."},
    coordinates={"type": "object"},
    ObjectClassId={"type": ["integer", "null"], "description": "Place of the class in the labels."},
)
_BOXES: Final = {"type": "array", "items": _BOX}
_FOUND: Final = {"type": "object", "required": [BOXES], "properties": {BOXES: _BOXES}}


def _enveloped(data: Any) -> dict[str, Any]:
    members = {"success": {"const": True}, "data": data, "error": {"type": "string"}}
    return {"type": "object", "required": list(members), "properties": members}


_WRONG: Final = {
    "type": "object",
    "required": ["success", "data", "error"],
    "properties": {
        "success": {"const": False},
        "data": {"type": "null"},
        "error": {"type": "string", "description": "Begins with the name of the error's class."},
    },
}
_NAMES: Final = {
    400: "InvalidInputData: the image can't be used.",
    404: "ModelNotFound.",
    409: "InvalidModelConfiguration: its folder or config.json can't be used.",
    413: "InvalidInputData: too large.",
    415: "InvalidInputData: not a format that is read.",
    422: "InvalidInputData: a field is missing or wrong.",
    429: "Too many requests.",
    501: "InferenceEngineNotFound: it is no classifier.",
    502: "The model server failed.",
    503: "ModelNotLoaded: it is being converted and loaded. See Retry-After.",
    504: "The model server did not answer in time.",
    507: "The folder for temporary files is full.",
}
_ASKED: Final = (404, 409, 501, 503)
_SENT: Final = (400, *_ASKED[:2], 413, 415, 422, 429, 501, 502, 503, 504, 507)


def _answer(schema: dict[str, Any], *statuses: int) -> dict[int, Answer]:
    wrong = {status: Answer(_NAMES[status], _WRONG) for status in sorted(statuses)}
    return {200: Answer("Done.", schema), **wrong}


def _form(*fields: str, several: bool = False) -> dict[str, dict[str, Any]]:
    image = {"type": "array", "items": BINARY, "minItems": 1} if several else BINARY
    members = {field: _NAME if field == "model" else image for field in fields}
    return {"multipart/form-data": {"type": "object", "required": list(fields), "properties": members}}


_IDS: Final = {"type": "object", "additionalProperties": {"type": "string", "format": "uuid"}}
_FORCE: Final = Parameter("force", "true: try again to convert one that failed.", {"type": "boolean"})
_WAYS: Final = ("predict_image", predict_image), ("ocr", ocr), ("one_shot_ocr", one_shot_ocr)
ROUTES: Final = (
    Route(
        "GET",
        "/models",
        list_models,
        _MODELS,
        "All models",
        _answer(_enveloped({"type": "object"}), 404, 503),
    ),
    Route("GET", "/load", load_all, _MODELS, "Ids of the models", _answer(_IDS, 404, 503)),
    Route(
        "GET",
        "/models/<job:name>/load",
        load_one,
        _MODELS,
        "Whether a model is served",
        _answer(_enveloped({"type": "null"}), *_ASKED, 422),
        parameters=(_FORCE,),
    ),
    Route(
        "GET",
        "/models/<job:name>/labels",
        labels,
        _MODELS,
        "Its classes",
        _answer(_enveloped({"type": "array", "items": {"type": "string"}}), *_ASKED),
    ),
    Route(
        "GET",
        "/models/<job:name>/config",
        config,
        _MODELS,
        "Its configuration",
        _answer(_enveloped({"type": "object"}), *_ASKED),
    ),
    Route(
        "POST",
        "/models/<job:name>/predict",
        predict,
        _MODELS,
        "What an image is",
        _answer(_enveloped(_FOUND), *_SENT),
        description=_OLD,
        body=_form("input_data"),
    ),
    Route(
        "POST",
        "/models/<job:name>/predict_batch",
        predict_batch,
        _MODELS,
        "What several images are",
        _answer(_enveloped({"type": "array", "items": _FOUND}), *_SENT),
        description=_OLD,
        body=_form("input_data", several=True),
    ),
    Route(
        "POST",
        "/detect",
        detect,
        _MODELS,
        "What an image is, the model named in the form",
        _answer(_enveloped(_FOUND), *_SENT),
        description=_OLD,
        body=_form("model", "image"),
    ),
    Route(
        "POST",
        "/get_labels",
        get_labels,
        _MODELS,
        "Ids of a model's classes",
        _answer(_IDS, *_ASKED, 413, 422),
        body={
            "application/x-www-form-urlencoded": record(model=_NAME),
            **_form("model"),
        },
    ),
    *(
        Route(
            "POST",
            f"/models/<job:name>/{way}",
            view,
            _MODELS,
            "Not offered",
            {501: Answer(_NAMES[501], _WRONG)},
            needs_body=False,
        )
        for way, view in _WAYS
    ),
)
