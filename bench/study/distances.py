"""How far the pixels of each variant are from those of its photo: PSNR and SSIM.

Two pictures can only be compared at one size. It is done twice: with the variant scaled back to the
photo's size, as image tools do it, and with both as a network sees them, decoded, cropped and resized by
the model server's own code. Photo after photo, on every core, and a line is kept for each.
"""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from skimage.metrics import structural_similarity

from experiment.codec import to_dict
from experiment.errors import ImageRefused
from experiment.images.header import Limits
from experiment.images.read import read_image
from experiment.images.variants import make_variants
from experiment.photo_sets.listing import ListedPhoto, PhotoSet, open_photo_set
from experiment.records import Plan, Variant
from serving.images.pixels import Pixels

AS_SOURCE = "source"  # scaled back; every other name is that of a network
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's mode L
WINDOW_PX = 11  # of SSIM: Gaussian weights with a deviation of 1.5 px (Wang 2004)

Views = Mapping[str, Callable[[bytes], np.ndarray]]


class Distance(NamedTuple):
    """Of two pictures of the same size. The larger both are, the more alike."""

    psnr_db: float | None  # of RGB; None: the same pixels
    ssim: float | None  # of luma, at most 1; None: a side is shorter than the window


ByView = Mapping[str, Distance]


def distance(one: np.ndarray, other: np.ndarray) -> Distance:
    """Of levels 0..255 as float32 [height, width, 3]."""
    error = float(np.mean(np.square(one - other), dtype=np.float64))
    psnr_db = None if error == 0 else 10 * float(np.log10(255**2 / error))
    if min(one.shape[:2]) < WINDOW_PX:
        return Distance(psnr_db, None)
    return Distance(psnr_db, _ssim(one @ LUMA, other @ LUMA))


def _ssim(one: np.ndarray, other: np.ndarray) -> float:
    """As in Wang, Bovik, Sheikh and Simoncelli 2004, IEEE Trans. Image Process. 13:600."""
    weights = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    found = structural_similarity(one, other, data_range=255, **weights)  # type: ignore[no-untyped-call]
    return min(1.0, float(found))  # float32 may round past it


def view_of(card: Mapping[str, Any]) -> Callable[[bytes], np.ndarray]:
    """Encoded image -> the levels 0..255 that the model with this card gets, [height, width, 3]."""
    pixels = Pixels.from_card(card["pixels"])
    levels = replace(pixels, scale=1.0, mean=0.0, std=1.0, layout="NHWC", channels="RGB", dtype="float32")
    return lambda data: np.clip(levels.of(data), 0, 255)


def distances(
    place: Path, plan: Plan, cards: Mapping[str, Mapping[str, Any]], folder: Path
) -> Iterator[tuple[str, dict[str, ByView]]]:
    """Photo's name, and for each of its variants by SHA-256 the distances by view.

    `cards`: of the networks by name. What `folder` holds already is not computed again; photos
    that can't be read are left out. Memory is that of a photo on each core.
    """
    photos = open_photo_set(place)
    path = folder / f"distances-{_key(photos, plan, cards)}.jsonl"
    done = set()
    for name, found in _kept(path):
        done.add(name)
        yield name, found
    todo = [photo for photo in photos.photos if photo.name not in done]
    if not todo:
        return
    cores = len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("spawn")  # an open ZIP's place in its file is not to be shared
    with path.open("a", encoding="utf-8") as file, context.Pool(cores, _begin, (place, plan, cards)) as pool:
        for name, found in pool.imap_unordered(_of_photo, todo):
            file.write(json.dumps([name, found]) + "\n")
            file.flush()
            yield name, found


def _key(photos: PhotoSet, plan: Plan, cards: Mapping[str, Mapping[str, Any]]) -> str:
    """Names what is computed, so that another plan or network does not go on in the same file."""
    sections = {name: card["pixels"] for name, card in cards.items()}
    usual = to_dict(Plan())
    unusual = {key: value for key, value in to_dict(plan).items() if value != usual[key]}
    parts = [photos.photos_sha256, unusual, sections]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:10]


def _kept(path: Path) -> Iterator[tuple[str, dict[str, ByView]]]:
    """The whole lines of the file; what a killed process left of one is cut off."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = 0
        for line in file:
            if not line.endswith(b"\n"):
                file.truncate(end)
                return
            end += len(line)
            name, found = json.loads(line)
            yield (
                name,
                {
                    sha256: {view: Distance(*values) for view, values in by_view.items()}
                    for sha256, by_view in found.items()
                },
            )


_work: dict[str, Any] = {}  # of a worker process


def _begin(place: Path, plan: Plan, cards: Mapping[str, Mapping[str, Any]]) -> None:
    views = {name: view_of(card) for name, card in cards.items()}
    _work.update(photos=open_photo_set(place), plan=plan, views=views)


def _of_photo(photo: ListedPhoto) -> tuple[str, dict[str, ByView]]:
    """All variants of one photo."""
    try:
        source = read_image(_work["photos"].read(photo, Limits()), photo.name, Limits())
    except ImageRefused:
        return photo.name, {}
    reference, *variants = make_variants(source, _work["plan"])
    seen = {name: view(reference.data) for name, view in _work["views"].items()}
    seen[AS_SOURCE] = np.asarray(source.pixels, np.float32)
    return photo.name, {variant.sha256: _of_variant(variant, seen, _work["views"]) for variant in variants}


def _of_variant(variant: Variant, seen: Mapping[str, np.ndarray], views: Views) -> ByView:
    found = {name: distance(seen[name], view(variant.data)) for name, view in views.items()}
    return found | {AS_SOURCE: distance(seen[AS_SOURCE], _scaled_back(variant.data, seen[AS_SOURCE]))}


def _scaled_back(data: bytes, source: np.ndarray) -> np.ndarray:
    height_px, width_px, _ = source.shape
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(image.resize((width_px, height_px), Image.Resampling.LANCZOS), np.float32)
