"""Files that somebody else wrote: read without running what is in them."""

import lzma
import struct
import zipfile
import zlib

# What zip, gzip, tar and their decompressors raise for bytes that are not theirs.
DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError)
