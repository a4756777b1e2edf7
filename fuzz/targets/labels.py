"""Files of labels: a CSV of files and their labels, and maps from ids to labels."""

from __future__ import annotations

from experiment.errors import PixelcostError
from experiment.photo_sets.label_files import decoded, labels_in, names_in
from experiment.photo_sets.label_match import matched
from fuzz.target import Target

NAMES = ("cat/1.png", "dog/2.png", "dog/L\u00f6we.png")


def _feed(data: bytes) -> str:
    """The first byte chooses what the file is read as."""
    try:
        text = decoded(data[1:], "labels.csv")
        if data and data[0] % 2:
            names_in(text, "labels.csv")
        else:
            matched(labels_in(text, "labels.csv"), NAMES)
    except PixelcostError:
        return "refused"
    return "read"


SEEDS = [
    b"\0file,label\ncat/1.png,cat\ndog\\2.png,dog\n",
    b'\0label;filename\n"a ""cat""";C:\\photos\\cat\\1.png\r\n',
    "\0path,wnid,x\nL\u00f6we.png,n02129165,1\n".encode("utf-8"),
    b"\0" + "file,label\ncat/1.png,L\u00f6we\n".encode("utf-16"),
    b"\1n02123045 tabby, tabby cat\nn02123159 tiger cat\n",
    b"\1id,label\n0,cat\n1,dog\n",
    b'\1{"0": ["n02123045", "tabby"], "1": ["n02123159", "tiger_cat"]}',
    b'\1["cat", "dog"]',
]
TOKENS = [
    b'"',
    b",",
    b";",
    b"\t",
    b"\n",
    b"\r",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"[" * 200,
    b"{",
    b"A" * 200_000,
    b"\xe2\x80\xa8",
]
TARGET = Target("labels", lambda: SEEDS, _feed, TOKENS)
