"""BMP: 24-bit rows behind the shortest header that all programs read; other depths are left as they are."""

from __future__ import annotations

import struct

from experiment.photo_files.contents import Contents

_OS2_HEADER_BYTES, _HEADER_BYTES = 12, 40
_ROWS_AT = 14 + _HEADER_BYTES


def contents(data: bytes, name: str) -> Contents:
    """Raises struct.error or EOFError for a file that ends before its rows do."""
    offset, header_bytes = struct.unpack_from("<II", data, 10)
    if header_bytes == _OS2_HEADER_BYTES:
        width_px, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        packing, density = 0, bytes(8)
    else:
        width_px, height, _, bits, packing = struct.unpack_from("<iiHHI", data, 18)
        density = data[38:46]
    if bits != 24 or packing:
        return Contents(data, notes=("BMP brought to 24 bits per pixel.",))
    row_bytes = (3 * width_px + 3) // 4 * 4
    rows_bytes = row_bytes * abs(height)
    rows = data[offset or 14 + header_bytes :][:rows_bytes]
    if len(rows) < rows_bytes - row_bytes + 3 * width_px:  # the last row may lack its padding
        raise EOFError
    head = struct.pack("<2sIII", b"BM", _ROWS_AT + rows_bytes, 0, _ROWS_AT)
    head += (
        struct.pack("<IiiHHII", _HEADER_BYTES, width_px, height, 1, 24, 0, rows_bytes) + density + bytes(8)
    )
    return Contents(head + rows.ljust(rows_bytes, b"\0"))
