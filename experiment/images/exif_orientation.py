"""exif_orientation(): how a photo is to be turned, as browsers read it: EXIF alone, and nothing for nonsense.

XMP can name an orientation too. Editors leave it behind when they turn the pixels, and no browser obeys it.
"""

from __future__ import annotations

import struct

_TAG, _SHORT = 0x0112, 3
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ENTRY_BYTES = 12


def exif_orientation(exif: bytes) -> int:
    """1..8 (Exif 2.32, section 4.6.4 A); 1 where it says nothing. `exif` begins with its byte order."""
    order = _ORDERS.get(exif[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, at)
        for number in range(entries):
            tag, kind, count, value = struct.unpack_from(order + "HHIH", exif, at + 2 + _ENTRY_BYTES * number)
            if tag == _TAG:
                return value if (kind, count) == (_SHORT, 1) and 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
