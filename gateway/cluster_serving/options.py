"""The options of Cluster Serving's front end, as options of the gateway."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from common.checks import Expected, one_of_texts, whole_text
from experiment.errors import ConfigRefused
from gateway.config import SPARE_THREADS

PORT: Final = "10020"
SAME: Final = {
    "interface": "host",
    "redisInputQueue": "stream",
    "servableManagerConfPath": "servables",
}
_YES_OR_NO: Final = one_of_texts("true", "false")
CHECKS: Final[Mapping[str, Callable[[str], int | str]]] = {  # of those that are no setting as they stand
    "redisPort": whole_text(1, 65535),
    "parallelism": whole_text(8, 9_000),
    "tokenBucketEnabled": _YES_OR_NO,
    "tokensPerSecond": whole_text(1, 1_000_000),
    "tokenAcquireTimeout": whole_text(0, 60_000),
    "redisSecureEnabled": _YES_OR_NO,
}
_TLS: Final = "TLS ends in a proxy or an Ingress in front; the front end speaks plain HTTP"
_CERTIFICATES: Final = "the system's certificates are used (rediss://)"
_BATCHES: Final = "batches are made by the workers (batch_size of `python -m jobs serve`)"
NO_MEANING: Final = {  # option -> why
    "securePort": _TLS,
    "httpsEnabled": _TLS,
    "httpsKeyStorePath": _TLS,
    "httpsKeyStoreToken": _TLS,
    "redissTrustStorePath": _CERTIFICATES,
    "redissTrustStoreToken": _CERTIFICATES,
    "redisOutputQueue": "the key of a result follows from redisInputQueue",
    "timeWindow": _BATCHES,
    "countWindow": _BATCHES,
}
NAMES: Final = (*SAME, "redisHost", *CHECKS, *NO_MEANING)


def translated(given: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The gateway's options that old ones mean, and a sentence for each that means nothing any more.

    Raises ConfigRefused with every bad value at once.
    """
    values, problems = dict(given), []
    for name, check in CHECKS.items():
        try:
            values[name] = str(check(given[name])) if name in given else ""
        except Expected as expected:
            problems.append(f"--{name} {given[name]!r} is not {expected}")
    if problems:
        raise ConfigRefused("The configuration", problems)
    found = {new: given[old] for old, new in SAME.items() if old in given}
    if {"redisHost", "redisPort", "redisSecureEnabled"} & set(given):
        scheme = "rediss" if values["redisSecureEnabled"] == "true" else "redis"
        found["redis_url"] = f"{scheme}://{given.get('redisHost', 'localhost')}:{values['redisPort'] or 6379}"
    if values["parallelism"]:
        found["max_waiting"] = values["parallelism"]
        found["threads"] = str(int(values["parallelism"]) + 2 * SPARE_THREADS)
    if values["tokenBucketEnabled"] == "true":
        found["tokens_per_second"] = values["tokensPerSecond"] or "100"
        found["token_wait_s"] = str(int(values["tokenAcquireTimeout"] or 100) / 1000)
    if given:
        found["frontend_port"] = PORT
    unused = [name for name in given if name in NO_MEANING]
    return found, [f"--{name} has no meaning here: {NO_MEANING[name]}." for name in unused]
