"""What people call a thing, and what a model calls it."""

from __future__ import annotations

import pytest

from experiment.label_files import LabelsRefused, labels_in, names_in
from experiment.labels import Vocabulary, vocabulary_of

KNOWN = ["tench, Tinca tinca", "tabby, tabby cat", "projectile, missile", "missile", "crane"]


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("tench", KNOWN[0]),
        ("Tinca_tinca", KNOWN[0]),
        (" TABBY  cat ", KNOWN[1]),
        ("tabby, tabby cat", KNOWN[1]),
        ("missile", "missile"),
        ("projectile, missile", "projectile, missile"),
        ("projectile", "projectile, missile"),
        ("n01440764", None),
        ("dog", None),
    ],
)
def test_a_name_stands_for_the_label_that_it_meets_best(name, own):
    assert Vocabulary(KNOWN).own_label(name) == own


def test_a_name_that_could_be_two_labels_is_none_of_them():
    assert Vocabulary(["crane, bird", "crane, machine"]).own_label("crane") is None


def test_words_in_brackets_tell_labels_apart_and_are_a_second_name():
    vocabulary = Vocabulary(["crane (machine)", "Cardigan (dog)", "maillot (tights)", "maillot (tank suit)"])
    assert vocabulary.own_label("maillot, tank suit") == "maillot (tank suit)"
    assert [vocabulary.own_label(name) for name in ("crane", "cardigan", "maillot")] == [None] * 3


def test_an_answer_is_right_when_it_is_that_very_label():
    vocabulary = Vocabulary(KNOWN)
    assert vocabulary.is_right("tench,  tinca TINCA", "tench, Tinca tinca")
    assert not vocabulary.is_right("missile", "projectile, missile")


def test_without_the_models_labels_any_shared_name_is_right():
    vocabulary = Vocabulary()
    assert vocabulary.own_label("anything") == "anything"
    assert vocabulary.is_right("tabby, tabby cat", "Tabby_cat")


def test_ids_come_from_the_models_card_or_a_map():
    card = {"labels": KNOWN[:2], "wnids": ["n01440764", "n02123045"]}
    assert vocabulary_of(card).own_label("n01440764") == KNOWN[0]
    assert vocabulary_of({"labels": KNOWN}, {"n02123045": "Tabby"}).own_label("n02123045") == KNOWN[1]
    assert vocabulary_of({}, {"7": "tench"}).own_label("7") == "tench"


def test_a_card_whose_ids_are_not_as_many_as_its_labels_gives_none():
    assert vocabulary_of({"labels": KNOWN, "wnids": ["n01440764"]}).own_label("n01440764") is None


@pytest.mark.parametrize(
    "text",
    [
        "n02123045 tabby, tabby cat\nn01440764 tench\n",
        'id,label\nn02123045,"tabby, tabby cat"\nn01440764,tench',
        '{"281": ["n02123045", "tabby, tabby cat"], "0": ["n01440764", "tench"]}',
        '{"n02123045": "tabby, tabby cat", "n01440764": "tench"}',
    ],
)
def test_every_kind_of_map_is_read(text):
    names = names_in(text, "map")
    assert (names["n02123045"], names["n01440764"]) == ("tabby, tabby cat", "tench")


@pytest.mark.parametrize("text", ["", "n02123045\n", "{broken", '{"a": [1, 2]}', "a,\n"])
def test_what_is_no_map_is_refused(text):
    with pytest.raises(LabelsRefused, match=r"^map is "):
        names_in(text, "map")


def test_a_csv_of_labels_may_have_other_columns_a_mark_and_quotes():
    text = '\ufeffFile,index,Label\na.jpg,7,"tabby, tabby cat"\n"b, c.jpg",8,tench\n\n'
    assert labels_in(text, "l.csv") == {"a.jpg": "tabby, tabby cat", "b, c.jpg": "tench"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it has: nothing"),
        ("a.jpg,tabby\n", "it has: a.jpg, tabby"),
        ("file,label\na.jpg,\n", "line 2"),
        ("file,label\na.jpg,x\na.jpg,y\n", "line 3: a.jpg has another label"),
    ],
)
def test_a_csv_that_makes_no_sense_says_where(text, words):
    with pytest.raises(LabelsRefused, match=words):
        labels_in(text, "l.csv")
