"""Which formats a backend decodes is asked with a real image, once, and never guessed."""

from __future__ import annotations

import io

import grpc
import pytest
from PIL import Image

from experiment.backends import connect
from experiment.formats import READ_BY_CONTRACT
from experiment.probe import probe
from experiment.protocol import predict_pb2
from experiment.records import BackendInfo, Plan
from experiment.run import measure
from tests.records import report, variant
from tests.scripted_server import aborting, good_answer, grpc_server

PATIENCE_S = 60.0  # other work may share the machine
STOCK_WORDS = "Unknown image file format. One of JPEG, PNG, GIF, BMP required."
WEBP = variant(256, "webp", quality=80, id="256-webp-80", data=b"RIFF....WEBP")
JPEG = variant(256, data=b"\xff\xd8\xff")


def server(reads_webp: bool, asked: list[str] | None = None, **options):
    """A server that looks at the first bytes, as TensorFlow's decoder does."""

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        question = predict_pb2.PredictRequest.FromString(request)
        (image,) = question.inputs["images"].string_val
        if asked is not None:
            asked.append(question.model_spec.signature_name)
        if image[8:12] == b"WEBP" and not reads_webp:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, STOCK_WORDS)
        return good_answer()

    return grpc_server(answer, **options)


@pytest.mark.parametrize("reads_webp", [True, False])
def test_a_tiny_image_shows_whether_a_backend_reads_webp(reads_webp):
    with server(reads_webp) as address:
        reads = probe(BackendInfo("TF", address=address), PATIENCE_S).reads
    assert reads == ((*READ_BY_CONTRACT, "image/webp") if reads_webp else READ_BY_CONTRACT)


def test_it_is_asked_once_and_not_at_each_probe():
    asked: list[str] = []
    with server(True, asked) as address:
        for _ in range(3):
            probe(BackendInfo("TF", address=address), PATIENCE_S)
    assert asked == ["predict_images"]


def test_the_signature_that_only_decodes_is_asked_where_there_is_one():
    asked: list[str] = []
    with server(True, asked, decode_outputs=("pixels", "checksum")) as address:
        probe(BackendInfo("TF", address=address), PATIENCE_S)
    assert asked == ["decode_images"]


def test_another_server_at_the_same_address_is_asked_anew():
    with server(False) as address:
        assert probe(BackendInfo("TF", address=address), PATIENCE_S).reads == READ_BY_CONTRACT
    assert probe(BackendInfo("TF", address=address), timeout_s=0.5).reads is None
    with server(True, port=int(address.rpartition(":")[2])) as same_address:
        assert same_address == address
        assert "image/webp" in probe(BackendInfo("TF", address=address), PATIENCE_S).reads


def test_a_failure_that_says_nothing_about_formats_leaves_it_unknown():
    with grpc_server(aborting(grpc.StatusCode.INTERNAL, "out of luck")) as address:
        seen = probe(BackendInfo("TF", address=address), PATIENCE_S)
    assert (seen.state, seen.reads) == ("ready", None)


def test_the_image_that_is_asked_with_is_a_whole_one():
    images: list[bytes] = []

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        images.extend(predict_pb2.PredictRequest.FromString(request).inputs["images"].string_val)
        return good_answer()

    with grpc_server(answer) as address:
        probe(BackendInfo("TF", address=address), PATIENCE_S)
    (image,) = images
    assert Image.open(io.BytesIO(image)).format == "WEBP"
    Image.open(io.BytesIO(image)).load()


def test_a_backend_that_refuses_webp_costs_only_those_cells():
    plan = Plan(warmups=0, repeats=6)
    with server(False) as stock, server(True) as newer:
        infos = [
            probe(BackendInfo(name, address=at), PATIENCE_S) for name, at in (("old", stock), ("new", newer))
        ]
        backends = [connect(info) for info in infos]
        measurements = list(measure(plan, [JPEG, WEBP], backends))
        for each in backends:
            each.close()
    made = report(plan=plan, backends=tuple(infos), variants=(JPEG, WEBP), measurements=measurements)
    counts = {(cell.backend_name, cell.variant_id): (cell.count, cell.failures) for cell in made.cells}
    assert counts == {
        ("old", JPEG.id): (6, 0),
        ("new", JPEG.id): (6, 0),
        ("old", WEBP.id): (0, 6),
        ("new", WEBP.id): (6, 0),
    }
    refused = next(cell for cell in made.cells if cell.failures)
    assert refused.failure_reasons[0].code == "bad_request"
    assert "256 px WebP" in refused.failure_reasons[0].message
    assert "One of JPEG, PNG, GIF, BMP required" in refused.failure_reasons[0].message
