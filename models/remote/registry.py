"""Models in a registry of images: oci://registry/repository:tag or @sha256:..., by the distribution API.

An artifact (`oras push`) brings its files or archives; of an image only what lies in /model or /models
counts, as in the image pixelcost-model. Credentials are those of `docker login`: DOCKER_CONFIG names the
folder of config.json. The library oras is not used: it can't resume, waits for ever on a silent server, and
asks a server that is down for two minutes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from models.problems import FetchFailed, ModelProblem
from models.remote.source import CONNECT_S, SILENCE_S, RemoteFile, Sum, refused
from models.remote.web import answered, pieces

ADDRESS = re.compile(
    r"oci://(?P<registry>[^/@]+)/(?P<repository>[a-z0-9._/-]+?)(:(?P<tag>[\w][\w.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)
TITLE = "org.opencontainers.image.title"
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
IMAGE_CONFIGS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
LARGEST_MANIFEST_BYTES = 4 * 1024 * 1024
CREDENTIALS = "Check this registry's credentials in config.json, in the folder that DOCKER_CONFIG names."
LOCAL = ("localhost", "127.0.0.1", "[::1]")  # by custom without TLS


class Registry:
    """One image or artifact."""

    def __init__(self, address: str, *, is_plain_http: bool):
        match = ADDRESS.fullmatch(address)
        if match is None:
            raise ModelProblem("An address in a registry is oci://REGISTRY/REPOSITORY:TAG or @sha256:DIGEST.")
        self.shown = address
        self._name, self._repository = match["registry"], match["repository"]
        self._reference = match["digest"] or match["tag"] or "latest"
        is_local = re.sub(r":\d+$", "", self._name) in LOCAL
        self._scheme = "http" if is_plain_http or is_local else "https"
        self._url = f"{self._scheme}://{self._name}/v2/{self._repository}"
        self._session = requests.Session()
        self._session.auth = _ByRegistry(self._name, self._scheme, address)

    def files(self) -> Sequence[RemoteFile]:
        """The layers that its manifest names."""
        manifest = self._manifest(self._reference)
        if manifest.get("mediaType") in INDEXES or "manifests" in manifest:
            manifest = self._manifest(_of_this_platform(manifest["manifests"])["digest"])
        is_image = manifest.get("config", {}).get("mediaType") in IMAGE_CONFIGS
        layers = [_layer(index, row, is_image) for index, row in enumerate(manifest.get("layers", ()))]
        if not layers:
            raise FetchFailed(f"{self.shown} holds no layers, so no model either.")
        return layers

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """The rest of a layer. It can't change: its name is its checksum."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with self._asked(f"blobs/{file.identity}", headers) as response:
            yield from pieces(response, offset, self.shown)

    def _manifest(self, reference: str) -> dict[str, Any]:
        accepted = {"Accept": ", ".join((*MANIFESTS, *INDEXES))}
        with self._asked(f"manifests/{reference}", accepted) as response:
            data = response.raw.read(LARGEST_MANIFEST_BYTES, decode_content=True)
        if reference.startswith("sha256:") and f"sha256:{hashlib.sha256(data).hexdigest()}" != reference:
            raise FetchFailed(f"{self.shown}: the registry sent another manifest than the digest says.")
        try:
            manifest: dict[str, Any] = json.loads(data)
        except ValueError:
            raise FetchFailed(f"{self.shown}: what the registry sent is not a manifest.") from None
        return manifest

    @contextmanager
    def _asked(self, path: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        with answered(self._session, f"{self._url}/{path}", self.shown, CREDENTIALS, headers, {}) as response:
            yield response


class _ByRegistry(requests.auth.AuthBase):
    """Answers a registry's 401: with a token of the server that it names, or with the password itself."""

    def __init__(self, registry: str, scheme: str, shown: str):
        self._scheme, self._shown = scheme, shown
        self._basic = _login(registry)
        self._header = ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._header:
            request.headers["Authorization"] = self._header
        request.hooks["response"].append(self._again)
        return request

    def _again(self, response: requests.Response, **settings: Any) -> requests.Response:
        asks = response.headers.get("WWW-Authenticate", "")
        if response.status_code != 401 or not asks:
            return response
        before, self._header = self._header, self._answer(asks)
        if not self._header or (before == self._header and self._header.startswith("Basic")):
            return response
        response.close()
        request = response.request.copy()
        request.hooks["response"].remove(self._again)
        request.headers["Authorization"] = self._header
        again: requests.Response = response.connection.send(request, **settings)
        return again

    def _answer(self, asks: str) -> str:
        if asks.lower().startswith("basic"):
            return f"Basic {self._basic}" if self._basic else ""
        told = dict(re.findall(r'(\w+)="([^"]*)"', asks))
        realm = told.pop("realm", "")
        if not realm.startswith("https://" if self._scheme == "https" else "http"):
            raise FetchFailed(f"{self._shown}: the registry asks for passwords without encryption.")
        headers = {"Authorization": f"Basic {self._basic}"} if self._basic else {}
        query = {key: told[key] for key in ("service", "scope") if key in told}
        answer = requests.get(realm, params=query, headers=headers, timeout=(CONNECT_S, SILENCE_S))
        if answer.status_code in {401, 403}:
            raise refused(self._shown, f"{answer.status_code} {answer.reason}", CREDENTIALS)
        if answer.status_code != 200:
            return ""
        token = answer.json()
        return f"Bearer {token.get('token') or token.get('access_token')}"


def _login(registry: str) -> str:
    """What `docker login` left for a registry: user:password in base64. Empty: nothing."""
    home = Path(os.environ.get("HOME", "/"))
    path = Path(os.environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    try:
        row = json.loads(path.read_text("utf-8")).get("auths", {}).get(registry, {})
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, AttributeError):
        raise ModelProblem(f"{path} can't be read as the file that `docker login` writes.") from None
    return str(row.get("auth") or "")


def _of_this_platform(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A model is the same for all of them; of attestations and the like nothing is taken."""
    wanted = [row for row in rows if row.get("platform", {}).get("architecture") == "amd64"]
    if not rows:
        raise FetchFailed("The registry sent an index without a manifest.")
    return (wanted or list(rows))[0]


def _layer(index: int, row: dict[str, Any], is_image: bool) -> RemoteFile:
    digest = str(row["digest"])
    title = "" if is_image else str(row.get("annotations", {}).get(TITLE, ""))
    name = title or f"layer-{index}"
    checksum = Sum(*digest.split(":", 1))
    if checksum.algorithm not in {"sha256", "sha512"}:
        raise FetchFailed(f"The registry names a layer by {checksum.algorithm}, which can't be checked.")
    return RemoteFile(name, int(row["size"]), digest, checksum, is_layer=is_image)
