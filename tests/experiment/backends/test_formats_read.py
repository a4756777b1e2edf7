"""Which formats a backend decodes is asked with a real image, once, and never guessed."""

from __future__ import annotations

import io
from dataclasses import replace

import grpc
import pytest
from PIL import Image

from experiment.backends.connect import connect
from experiment.backends.formats_read import _tiny_images
from experiment.backends.probe import probe
from experiment.images.formats import FORMATS, READ_BY_CONTRACT
from experiment.measure.run import measure
from experiment.protocol import predict_pb2
from experiment.records import BackendInfo, Plan
from experiment.wording import kind_name
from tests.support.records import report, variant
from tests.support.scripted_server import BEGINS, aborting, good_answer, grpc_server, server_that_reads

PATIENCE_S = 60.0  # other work may share the machine
WEBP = variant(256, "webp", quality=80, id="256-webp-80", data=b"RIFF....WEBP")
AVIF = variant(256, "avif", quality=65, id="256-avif-65", data=b"....ftypavif")
JPEG = variant(256, data=b"\xff\xd8\xff")


@pytest.mark.parametrize("kinds", [(), ("image/webp",), ("image/avif",), ("image/webp", "image/avif")])
def test_tiny_images_show_which_further_formats_a_backend_reads(kinds):
    with server_that_reads(*kinds) as address:
        reads = probe(BackendInfo("TF", address=address), PATIENCE_S).reads
    assert reads == (*READ_BY_CONTRACT, *kinds)


def test_it_is_asked_once_and_not_at_each_probe():
    asked: list[str] = []
    with server_that_reads(asked=asked) as address:
        for _ in range(3):
            probe(BackendInfo("TF", address=address), PATIENCE_S)
    assert asked == ["predict_images"] * len(BEGINS)


def test_the_signature_that_only_decodes_is_asked_where_there_is_one():
    asked: list[str] = []
    with server_that_reads(asked=asked, decode_outputs=("pixels", "checksum")) as address:
        probe(BackendInfo("TF", address=address), PATIENCE_S)
    assert asked == ["decode_images"] * len(BEGINS)


def test_another_server_at_the_same_address_is_asked_anew():
    with server_that_reads() as address:
        assert probe(BackendInfo("TF", address=address), PATIENCE_S).reads == READ_BY_CONTRACT
    assert probe(BackendInfo("TF", address=address), timeout_s=0.5).reads is None
    with server_that_reads("image/webp", port=int(address.rpartition(":")[2])) as same_address:
        assert same_address == address
        assert "image/webp" in probe(BackendInfo("TF", address=address), PATIENCE_S).reads


def test_a_failure_that_says_nothing_about_formats_leaves_it_unknown():
    with grpc_server(aborting(grpc.StatusCode.INTERNAL, "out of luck")) as address:
        seen = probe(BackendInfo("TF", address=address), PATIENCE_S)
    assert (seen.state, seen.reads) == ("ready", None)


def test_the_images_that_are_asked_with_are_whole_ones():
    images: list[bytes] = []

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        images.extend(predict_pb2.PredictRequest.FromString(request).inputs["images"].string_val)
        return good_answer()

    with grpc_server(answer) as address:
        probe(BackendInfo("TF", address=address), PATIENCE_S)
    assert [Image.open(io.BytesIO(image)).format for image in images] == ["WEBP", "AVIF"]
    for image in images:
        Image.open(io.BytesIO(image)).load()


def test_a_format_that_can_not_be_written_here_is_not_asked_for(monkeypatch):
    monkeypatch.setitem(FORMATS, "avif", replace(FORMATS["avif"], why_not=lambda: "It can't be written."))
    _tiny_images.cache_clear()
    asked: list[str] = []
    with server_that_reads("image/webp", asked=asked) as address:
        assert probe(BackendInfo("TF", address=address), PATIENCE_S).reads == (
            *READ_BY_CONTRACT,
            "image/webp",
        )
    _tiny_images.cache_clear()
    assert len(asked) == 1


@pytest.mark.parametrize("odd", [WEBP, AVIF], ids=lambda each: each.format)
def test_a_format_that_a_backend_does_not_read_is_not_sent_to_it_and_costs_only_those_cells(odd):
    plan = Plan(warmups=0, repeats=6, formats=("jpeg", odd.format))
    with server_that_reads() as stock, server_that_reads(*BEGINS) as newer:
        infos = [
            probe(BackendInfo(name, address=at), PATIENCE_S) for name, at in (("old", stock), ("new", newer))
        ]
        backends = [connect(info) for info in infos]
        measurements = list(measure(plan, [JPEG, odd], backends))
        for each in backends:
            each.close()
    made = report(plan=plan, backends=tuple(infos), variants=(JPEG, odd), measurements=measurements)
    counts = {
        (cell.backend_name, cell.variant_id): (cell.count, cell.failures, cell.not_sent)
        for cell in made.cells
    }
    assert counts == {
        ("old", JPEG.id): (6, 0, 0),
        ("new", JPEG.id): (6, 0, 0),
        ("old", odd.id): (0, 0, 6),
        ("new", odd.id): (6, 0, 0),
    }
    left_out = next(cell for cell in made.cells if cell.not_sent)
    assert left_out.failure_reasons[0].message == f"Not sent: old can't read {kind_name(odd).split()[0]}."
    (warned,) = (each.message for each in made.warnings if each.code == "W23")
    assert warned == f"old can't read {kind_name(odd).split()[0]}: those variants were not sent to it."
