"""What people call a thing, and what a model calls it."""

from __future__ import annotations

import random
import unicodedata

import pytest

from experiment.labels import Vocabulary, vocabulary_of
from experiment.photo_sets.label_files import LabelsRefused, labels_in, names_in, read_text

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
        "\ufeffn02123045 tabby, tabby cat\r\nn01440764 tench\r\n",
    ],
)
def test_every_kind_of_map_is_read(text):
    names = names_in(text, "map")
    assert (names["n02123045"], names["n01440764"]) == ("tabby, tabby cat", "tench")


def test_a_list_of_labels_counts_from_0():
    assert names_in('["tench", "goldfish"]', "map") == {"0": "tench", "1": "goldfish"}


NO_MAPS = ["", "n02123045\n", "{broken", '{"a": [1, 2]}', "a,\n", "[" * 100_000, "[1, 2]", "[]", "a x\na y\n"]


@pytest.mark.parametrize("text", [*NO_MAPS, 'a,"' + "x" * 140_000])
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
        ("file,label\na.jpg,x\na.jpg,y\n", "line 3: a.jpg has a different label"),
    ],
)
def test_a_csv_that_makes_no_sense_says_where(text, words):
    with pytest.raises(LabelsRefused, match=words):
        labels_in(text, "l.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            'file,label\na.jpg,x\nb.jpg,"y\nc.jpg,z\n',
            "line 3: a quotation mark is opened there and never closed",
        ),
        (
            'file,label,note\na.jpg,x,"y\nb.jpg,z,\n',
            "line 2: a quotation mark is opened there and never closed",
        ),
        ('file,label\na.jpg,"x\nb.jpg,y\nc.jpg","z"\n', "line 2: a name or label continues on the next line"),
        ('file,label\na.jpg,"' + "x" * 140_000, "line 2: a field is longer than 131,072 characters"),
        ('[{"file": "a.jpg", "label": "x"}]', "is JSON. Write a CSV"),
        (
            "file,label\ncat\\a.jpg,x\n./cat/a.jpg,y\n",
            "line 3: cat/a.jpg has a different label in an",
        ),
    ],
)
def test_a_csv_that_would_lose_rows_is_refused(text, words):
    with pytest.raises(LabelsRefused, match=words):
        labels_in(text, "l.csv")


def test_empty_lines_above_the_columns_and_notes_of_several_lines_do_no_harm():
    text = '\n\r\nfile,label,note\n\na.jpg,x,"two\nlines"\n\nb.jpg,y\n'
    assert labels_in(text, "l.csv") == {"a.jpg": "x", "b.jpg": "y"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_csv_is_read_in_the_encodings_that_spreadsheets_mark(tmp_path, encoding):
    (tmp_path / "l.csv").write_text("file,label\nlöwe.jpg,Löwe\n", encoding)
    assert labels_in(read_text(tmp_path / "l.csv"), "l.csv") == {"löwe.jpg": "Löwe"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            "file,label\nlöwe.jpg,x\n".encode("cp1252"),
            r"l\.csv is not text in UTF-8 in line 2\. A spreadsheet",
        ),
        ("file,label\na.jpg,x\n".encode("utf-16-le"), r"l\.csv is not text in UTF-8\. A spreadsheet"),
        (b"\xff\xfea", r"l\.csv is not text in UTF-8\. A spreadsheet"),
    ],
)
def test_a_csv_in_another_encoding_is_refused_and_not_guessed(tmp_path, data, words):
    (tmp_path / "l.csv").write_bytes(data)
    with pytest.raises(LabelsRefused, match=words):
        read_text(tmp_path / "l.csv")


def test_a_label_means_the_models_in_either_of_unicodes_forms():
    composed, decomposed = (unicodedata.normalize(form, "Löwe, Ångström") for form in ("NFC", "NFD"))
    assert Vocabulary([composed]).own_label(decomposed) == composed
    assert Vocabulary([decomposed]).own_label(composed) == decomposed
    assert Vocabulary([decomposed]).is_right(composed, decomposed)


def test_changed_files_of_labels_are_read_or_refused(tmp_path):
    """Errors are those that are told; anything else would be a crash."""
    chance = random.Random(12)
    pieces = (
        b'"',
        b"\0",
        b"\r",
        b"\n",
        b",",
        b"\xff\xfe",
        b"[",
        b"{",
        b"\xed\xb2\x80",
        b'"' + b"x" * 140_000,
    )
    bases = (
        "file,label\nlöwe.jpg,x\n".encode(),
        'file,label\n"a, b.jpg","x, y"\n'.encode("utf-16"),
        b'["a","b"]',
    )
    outcomes = {"read": 0, "refused": 0}
    for _ in range(600):
        data = bytearray(chance.choice(bases))
        at = chance.randrange(len(data))
        data[at : at + chance.randrange(3)] = chance.choice(pieces)
        (tmp_path / "l.csv").write_bytes(data)
        for reader in (labels_in, names_in):
            try:
                reader(read_text(tmp_path / "l.csv"), "l.csv")
                outcomes["read"] += 1
            except LabelsRefused:
                outcomes["refused"] += 1
    assert min(outcomes.values()) > 20
