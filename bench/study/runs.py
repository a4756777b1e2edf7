"""QUESTIONS: what the study asks, as arguments of `python -m experiment`. A new question is a new row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

LABELLED, SMALL = "labelled", "small"  # sets of photos
MADE, PHOTO = "made", "photo"  # single ones: the benchmark's own, and a real one
TIME = "time"

QUESTIONS: Final = {
    "size": {
        LABELLED: "--sizes 512,384,256,192,128,96,64 --formats png,jpeg",
        SMALL: "--sizes 144,128,96,64,48 --formats png,jpeg",
    },
    "quality": {
        LABELLED: "--sizes 384,192 --formats jpeg,webp --qualities 95,85,75,50,30,20,10,5 "
        "--webp-qualities 80,50,20,5",
        SMALL: "--sizes 144 --formats jpeg,webp --qualities 95,85,75,50,30,20,10,5 "
        "--webp-qualities 80,50,20,5",
    },
    "filter": {
        LABELLED: "--sizes 256,128 --formats png --resamplers lanczos,bicubic,bilinear,box,nearest",
        SMALL: "--sizes 96,48 --formats png --resamplers lanczos,bicubic,bilinear,box,nearest",
    },
    "subsampling": {
        LABELLED: "--sizes 384,128 --formats jpeg --subsamplings 4:4:4,4:2:2,4:2:0",
        SMALL: "--sizes 144 --formats jpeg --subsamplings 4:4:4,4:2:2,4:2:0",
    },
    TIME: {
        MADE: "--sizes 2048,1024,512,256,128 --formats png,jpeg --repeats 30",
        PHOTO: "--sizes 1024,512,256,128 --formats png,jpeg --repeats 30",
    },
}

# What --quick asks instead: enough to see that everything works, too little to say anything.
QUICK: Final = {
    "size": {LABELLED: "--sizes 256,128 --formats png,jpeg", SMALL: "--sizes 96,48 --formats png,jpeg"},
    TIME: {MADE: "--sizes 512,128 --formats png,jpeg --repeats 6"},
}


@dataclass(frozen=True, slots=True)
class Run:
    """One call of `python -m experiment`."""

    model: str
    question: str  # a key of QUESTIONS
    photos: str  # LABELLED, SMALL, MADE or PHOTO
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
