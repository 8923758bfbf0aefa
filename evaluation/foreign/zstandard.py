"""Members of a zip compressed by Zstandard (method 93), as inspect writes them and `zipfile` cannot read them."""

import io
import struct
import zipfile
import zlib
from typing import Final

import pyarrow as pa

LOCAL_HEADER: Final = struct.Struct("<4s5H3L2H")
LOCAL_SIGNATURE: Final = b"PK\x03\x04"


def decompressed(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Never more than the directory says. Raises BadZipFile, OSError."""
    file = archive.fp
    if file is None:
        raise zipfile.BadZipFile("it is closed")
    file.seek(info.header_offset)
    header = file.read(LOCAL_HEADER.size)
    if len(header) < LOCAL_HEADER.size or not header.startswith(LOCAL_SIGNATURE):
        raise zipfile.BadZipFile("a member has no header")
    *_, n_name, n_extra = LOCAL_HEADER.unpack(header)
    file.seek(n_name + n_extra, io.SEEK_CUR)
    packed = file.read(info.compress_size)
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        data: bytes = stream.read(info.file_size + 1)
    if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
        raise zipfile.BadZipFile("a member is not what the directory says")
    return data
