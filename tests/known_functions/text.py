"""Random bytes, bytes and text."""

from __future__ import annotations

from known_functions.known import HOLDS, RELEASES, Known

_NEVER = "there is no Py_BEGIN_ALLOW_THREADS in this file"
_PYTHON = "Python code: it gives the GIL up only to a thread that asks for it"

RANDOM = (
    Known(
        "os.urandom(1_000_000)",
        "1 MB",
        RELEASES,
        "Python/bootstrap_hash.c",
        "py_getrandom(): the system call with the GIL released",
        "import os",
    ),
    Known(
        "os.getrandom(1_000_000)",
        "1 MB",
        HOLDS,
        "Modules/posixmodule.c",
        "os_getrandom_impl: the same system call, and no release around it",
        "import os",
        needs="os.getrandom",
    ),
    Known(
        "ssl.RAND_bytes(1_000_000)",
        "1 MB",
        HOLDS,
        "Modules/_ssl.c",
        "PySSL_RAND(): RAND_bytes() without a release",
        "import ssl",
        needs="_ssl",
    ),
    Known(
        "random.randbytes(1_000_000)",
        "1 MB",
        HOLDS,
        "Modules/_randommodule.c",
        _NEVER,
        "import random",
    ),
    Known(
        "random.shuffle(data)",
        "10,000 items",
        HOLDS,
        "Lib/random.py",
        _PYTHON,
        "import random; data = list(range(10_000))",
    ),
)

BYTES_AND_TEXT = (
    Known(
        "b''.join(pieces)",
        "16 x 1 MB, bytes",
        RELEASES,
        "Objects/stringlib/join.h",
        "released for 1 MiB or more (GIL_THRESHOLD)",
        "pieces = [bytes(10**6)] * 16",
    ),
    Known(
        "b''.join(pieces)",
        "10 x 100 kB, bytes",
        HOLDS,
        "Objects/stringlib/join.h",
        "less than 1 MiB (GIL_THRESHOLD)",
        "pieces = [bytes(10**5)] * 10",
    ),
    Known(
        "b''.join(pieces)",
        "16 x 1 MB, bytearray",
        HOLDS,
        "Objects/stringlib/join.h",
        "drop_gil is 0 as soon as one piece is no bytes object: it might change meanwhile",
        "pieces = [bytearray(10**6)] * 16",
    ),
    Known(
        "''.join(pieces)",
        "16 x 1 MB, str",
        HOLDS,
        "Objects/unicodeobject.c",
        _NEVER,
        "pieces = ['x' * 10**6] * 16",
    ),
    Known(
        "memoryview(data).tobytes()",
        "10 MB",
        HOLDS,
        "Objects/memoryobject.c",
        _NEVER,
        "data = bytes(10**7)",
    ),
    Known(
        "bytearray(data)",
        "10 MB",
        HOLDS,
        "Objects/bytearrayobject.c",
        "a memcpy() without a release",
        "data = bytes(10**7)",
    ),
    Known(
        "data.count(b'xy')",
        "bytes, 10 MB",
        HOLDS,
        "Objects/stringlib/fastsearch.h",
        _NEVER,
        "data = bytes(10**7)",
    ),
    Known(
        "text.encode()",
        "str, 1,000,000 characters",
        HOLDS,
        "Objects/unicodeobject.c",
        _NEVER,
        "text = '\\xe9' * 10**6",
    ),
    Known(
        "text.replace('b', 'cd')",
        "str, 1,000,000 characters",
        HOLDS,
        "Objects/unicodeobject.c",
        _NEVER,
        "text = 'ab' * 500_000",
    ),
    Known(
        "unicodedata.normalize('NFD', text)",
        "100,000 characters",
        HOLDS,
        "Modules/unicodedata.c",
        _NEVER,
        "import unicodedata; text = '\\xe9' * 10**5",
        needs="unicodedata",
    ),
    Known(
        "re.match('(a+)+b', text)",
        "22 characters, exponential",
        HOLDS,
        "Modules/_sre/sre_lib.h",
        "no Py_BEGIN_ALLOW_THREADS; it only looks for signals now and then",
        "import re; text = 'a' * 22",
    ),
    Known(
        "base64.b64encode(data)",
        "1 MB",
        HOLDS,
        "Modules/binascii.c",
        "binascii_b2a_base64_impl: only crc32 releases in this file",
        "import base64; data = bytes(10**6)",
    ),
    Known(
        "struct.unpack('100000i', data)",
        "400 kB",
        HOLDS,
        "Modules/_struct.c",
        _NEVER,
        "import struct; data = bytes(400_000)",
    ),
)
