"""QUESTIONS: what the study asks, as arguments of `python -m experiment`. A new question is a new row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

LABELLED = "labelled"  # a set of photos
MADE, PHOTO = "made", "photo"  # single ones: the benchmark's own, and a real one
TIME = "time"

QUESTIONS: Final = {
    "size": {LABELLED: "--sizes 1024,768,512,384,256,224,192,128,96,64 --formats png,jpeg"},
    "format": {
        LABELLED: "--sizes 384 --formats png,jpeg,webp,webp-lossless,avif --qualities 75,50,25,10 "
        "--webp-qualities 75,50,20,5 --avif-qualities 65,45,25,10"
    },
    "filter": {LABELLED: "--sizes 224,96 --formats png --resamplers lanczos,bicubic,bilinear,box,nearest"},
    "subsampling": {LABELLED: "--sizes 384,128 --formats jpeg --subsamplings 4:4:4,4:2:2,4:2:0"},
    TIME: {
        MADE: "--sizes 2048,1024,512,256,128 --formats png,jpeg --repeats 30",
        PHOTO: "--sizes 1024,512,256,128 --formats png,jpeg --repeats 30",
    },
}

# What --quick asks instead: enough to see that everything works, too little to say anything.
QUICK: Final = {
    "size": {LABELLED: "--sizes 256,96 --formats png,jpeg"},
    TIME: {MADE: "--sizes 512,128 --formats png,jpeg --repeats 6"},
}


@dataclass(frozen=True, slots=True)
class Run:
    """One call of `python -m experiment`."""

    model: str
    question: str  # a key of QUESTIONS
    photos: str  # LABELLED, MADE or PHOTO
    arguments: tuple[str, ...]

    @property
    def id(self) -> str:
        """Names its files."""
        return f"{self.model}-{self.question}-{self.photos}"

    @property
    def is_of_set(self) -> bool:
        """Many photos, for answers; else one, for times."""
        return self.question != TIME


def runs(model: str, photos: Sequence[str], *, answers: bool, quick: bool) -> Iterator[Run]:
    """Those of one model. `photos`: what there is; `answers`: whether the model's mean anything."""
    for question, by_photos in (QUICK if quick else QUESTIONS).items():
        for kind, arguments in by_photos.items():
            if kind in photos and (answers or question == TIME):
                yield Run(model, question, kind, tuple(arguments.split()))
