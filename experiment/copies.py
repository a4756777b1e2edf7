"""Where copies are made, and what that adds to each request.

    in_advance    a copy is made once and stored: a request costs its own latency only
    per_request   the server makes the copy for each request; the original needs no making
    client        the client makes the copy and uploads that, so its bytes cross the uplink too

Making is decoding, resizing and encoding, as measured for this variant. Where the client makes copies, the
times measured here stand for the client's and the upload is bytes over bandwidth, so the sum is *modelled*.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from experiment.records import Copies, Plan, Variant

LEAST_MBIT_S, MOST_MBIT_S = 0.01, 100_000.0


@dataclass(frozen=True, slots=True)
class Extra:
    """What one request for a variant takes beside the request itself, in ms."""

    making_ms: float | None = 0.0  # None: it counts, and is not known
    upload_ms: float = 0.0


NOTHING = Extra()


def extra(variant: Variant, plan: Plan, original_bytes: int | None) -> Extra:
    """What counts beside the request, for copies made as `plan` says.

    `original_bytes` of the photo as it is uploaded; None: as it is sent.
    """
    if plan.copies == "in_advance":
        return NOTHING
    making_ms = 0.0 if is_as_uploaded(variant) else making_time_ms(variant)
    if plan.copies == "per_request":
        return Extra(making_ms)
    return Extra(making_ms, transfer_ms(upload_bytes(variant, original_bytes), plan.uplink_mbit_s))


def is_as_uploaded(variant: Variant) -> bool:
    """Whether nothing had to be made: the original itself."""
    return variant.is_reference and variant.encode_ms is None


def making_time_ms(variant: Variant) -> float | None:
    """Decode, resize and encode. None: not known, or sent as uploaded."""
    if variant.encode_ms is None:
        return None
    stages_ms = (variant.decode_ms, variant.resize_ms, variant.encode_ms)
    return round(sum(round(stage_ms or 0.0, 3) for stage_ms in stages_ms), 3)  # as the report exports them


def upload_bytes(variant: Variant, original_bytes: int | None) -> int:
    """What the client uploads if it makes copies: the copy, or the photo as it is."""
    if variant.is_reference and variant.made_in == "server" and original_bytes is not None:
        return original_bytes
    return variant.size_bytes


def transfer_ms(size_bytes: float, mbit_s: float) -> float:
    """How long so many bytes take at that bandwidth: nothing else, no round trips, no slow start."""
    return size_bytes * 8 / (mbit_s * 1000)


def is_made_there(variant: Variant, copies: Copies, variants: Iterable[Variant]) -> bool:
    """Whether a copy was made where `copies` says. Where a run made copies in one place only, these stand for
    those of the other."""
    if copies == "in_advance" or variant.is_reference:
        return True
    wanted = "browser" if copies == "client" else "server"
    made = {each.made_in for each in variants if not each.is_reference}
    return variant.made_in == wanted or wanted not in made
