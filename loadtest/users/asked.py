"""Asked: what the users are to send and where to, from the environment, as containers are given it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from common.checks import Expected, number, number_text, whole_text
from experiment.backends.base import RequestFailed
from experiment.backends.model_spec import input_spec
from experiment.records import BackendInfo
from experiment.wording import joined, sentence
from loadtest.errors import LoadRefused
from loadtest.users.inputs import Inputs, image_inputs, number_inputs
from loadtest.users.kinds import DEFAULT_BATCH, Kind
from loadtest.users.server import DEFAULT_SERVER, addresses_of

MOST_BATCH = 4096
ASK_TIMEOUT_S = 10.0  # for the model's metadata
MODEL, SIGNATURE, INPUT = "inception", "predict_images", "images"  # where nothing else is known
# Cause of a refused question for the metadata -> what to do.
ADVICE = {
    "not_found": "Name the model that it has with --model or MODEL_NAME.",
    "bad_answer": "Is it the right port? SERVER=host:8500?rest=8501 names that of gRPC and that of REST.",
}
SAMPLES: Final = "PIXELCOST_SAMPLES"  # the file for raw samples; unset: none is written

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Asked:
    """The same for all kinds. Its names in the environment are in from_environment()."""

    server: str = DEFAULT_SERVER
    batch_size: int = DEFAULT_BATCH
    model: str = MODEL
    signature: str = ""  # empty, as the next one: the model's own
    input_key: str = ""
    timeout_s: float = 60.0
    images: tuple[Path, ...] = ()

    @staticmethod
    def from_environment(environ: Mapping[str, str]) -> Asked:
        """A blank value counts as unset. Raises LoadRefused."""
        given = {key: value.strip() for key, value in environ.items() if value.strip()}
        return Asked(
            server=given.get("SERVER", DEFAULT_SERVER),
            batch_size=_checked(given, "BATCHSIZE", whole_text(1, MOST_BATCH), DEFAULT_BATCH),
            model=given.get("MODEL_NAME", MODEL),
            signature=given.get("MODEL_SIGNATURE_NAME", ""),
            input_key=given.get("MODEL_INPUT_KEY", ""),
            timeout_s=_checked(
                given, "TF_REQUEST_TIMEOUT", number_text(number(0.1, 600, "a number of seconds")), 60.0
            ),
            images=tuple(map(Path, filter(None, given.get("IMAGE", "").split(os.pathsep)))),
        )

    def environment(self) -> dict[str, str]:
        """What from_environment() reads."""
        return {
            "SERVER": self.server,
            "BATCHSIZE": str(self.batch_size),
            "MODEL_NAME": self.model,
            "MODEL_SIGNATURE_NAME": self.signature,
            "MODEL_INPUT_KEY": self.input_key,
            "TF_REQUEST_TIMEOUT": str(self.timeout_s),
            "IMAGE": os.pathsep.join(map(str, self.images)),
        }

    def batch_of(self, kind: Kind) -> int:
        """How many inputs a request of this kind holds."""
        return self.batch_size if kind.is_batch else 1

    def inputs_of(self, kind: Kind) -> Inputs:
        """What this kind sends, after its server was asked what its model takes. Raises LoadRefused.

        A server that does not answer gets images: its failures are then counted like all others.
        """
        address = addresses_of(self.server, [kind.protocol]).of(kind.protocol)
        info = BackendInfo(
            address, kind.protocol, address, self.model, self.signature or SIGNATURE, self.input_key or INPUT
        )
        try:
            spec = input_spec(info, ASK_TIMEOUT_S)
        except RequestFailed as failed:
            if failed.failure.code in {"unreachable", "deadline"}:
                return image_inputs(info, self.images)
            advice = ADVICE.get(failed.failure.code, "")
            raise LoadRefused(joined(sentence(failed.failure.message), advice)) from None
        if (self.signature or spec.signature) != spec.signature:
            raise LoadRefused(
                f"The model {self.model} has no signature {self.signature} for Predict, but it has "
                f"{spec.signature}. Set MODEL_SIGNATURE_NAME to that, or leave it out."
            )
        info = replace(info, signature=spec.signature, input_key=spec.name)
        return (
            number_inputs(info, spec, self.batch_of(kind))
            if spec.takes_numbers
            else image_inputs(info, self.images)
        )


def _checked(given: Mapping[str, str], key: str, check: Callable[[str], Value], default: Value) -> Value:
    try:
        return check(given[key]) if key in given else default
    except Expected as expected:
        raise LoadRefused(f"{key} must be {expected}, not {given[key]}.") from None
