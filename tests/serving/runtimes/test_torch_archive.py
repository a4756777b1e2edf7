"""Archives of PyTorch that can't be opened. No PyTorch is needed to refuse them."""

from __future__ import annotations

import pytest

from serving.errors import LoadFailed
from serving.model_files.torch_archive import kind
from tests.support.photo_sets import packed

GRAPH = {b"model/models/model.json": b'{"graph": 1}' * 20}


@pytest.mark.parametrize("header", [{"flags": 1}, {"method": 9}, {"method": 8, "flags": 0x800}])
def test_an_archive_that_is_encrypted_or_packed_in_another_way_or_damaged_is_refused(tmp_path, header):
    file = packed(tmp_path / "model.pt2", GRAPH, **header)
    if header.get("method") == 8:
        data = bytearray(file.read_bytes())
        data[30 + len(next(iter(GRAPH)))] ^= 0xFF  # the first byte that Deflate reads
        file.write_bytes(data)
    with pytest.raises(LoadFailed, match=r"model\.pt2 is cut off or damaged"):
        kind(file)
