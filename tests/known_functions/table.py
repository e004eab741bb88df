"""The table: what is known, by subject."""

from __future__ import annotations

from known_functions import compression, data, hashes, system, text, waits
from known_functions.known import Known

SECTIONS: dict[str, tuple[Known, ...]] = {
    "Hashes": hashes.HASHES,
    "Compression and checksums": compression.COMPRESSION,
    "Random bytes and numbers": text.RANDOM,
    "Bytes and text": text.BYTES_AND_TEXT,
    "Data structures and code": data.DATA,
    "Numbers": data.NUMBERS,
    "Files and pipes": system.FILES,
    "Sockets and event loops": system.SOCKETS,
    "Threads and time": waits.THREADS,
    "Processes and signals": system.PROCESSES,
    "C libraries": system.C_LIBRARIES,
}
KNOWN = tuple(known for section in SECTIONS.values() for known in section)
