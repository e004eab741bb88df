"""Files, sockets, processes and C libraries."""

from __future__ import annotations

from known_functions import givens
from known_functions.known import HOLDS, RELEASES, Known

_POSIX = "Modules/posixmodule.c"
_SELECT = "Modules/selectmodule.c"
_SOCKET = "Modules/socketmodule.c"

FILES = (
    Known(
        "os.pread(fd, 30_000_000, 0)",
        "30 MB",
        RELEASES,
        _POSIX,
        "os_pread_impl: pread() with the GIL released",
        "import os",
        given=givens.file,
    ),
    Known(
        "os.pwrite(fd, data, 0)",
        "30 MB",
        RELEASES,
        _POSIX,
        "os_pwrite_impl: pwrite() with the GIL released",
        "import os",
        given=givens.file,
    ),
    Known(
        "file.seek(0); file.readinto(buffer)",
        "30 MB, no buffering",
        RELEASES,
        "Python/fileutils.c",
        "_Py_read(): read() with the GIL released",
        "buffer = bytearray(len(data))",
        given=givens.file,
    ),
    Known(
        "file.seek(0); file.write(data)",
        "30 MB, no buffering",
        RELEASES,
        "Python/fileutils.c",
        "_Py_write_impl(): write() with the GIL released",
        given=givens.file,
    ),
    Known(
        "path.write_bytes(data)",
        "30 MB",
        RELEASES,
        "Python/fileutils.c",
        "_Py_write_impl(): write() with the GIL released",
        given=givens.path,
    ),
    Known(
        "shutil.copyfile(path, copy)",
        "30 MB",
        RELEASES,
        _POSIX,
        "os_sendfile_impl, or another of the system's own copies: with the GIL released",
        "import shutil",
        given=givens.path,
    ),
    Known(
        "os.read(read_end, 100)",
        "a pipe, written to every 50 ms",
        RELEASES,
        "Python/fileutils.c",
        "_Py_read(): read() with the GIL released",
        "import os",
        given=givens.written_pipe,
    ),
    Known(
        "os.write(write_end, data)",
        "a pipe, 1 MB, read from every 5 ms",
        RELEASES,
        "Python/fileutils.c",
        "_Py_write_impl(): write() with the GIL released",
        "import os; data = bytes(10**6)",
        given=givens.read_pipe,
    ),
    Known(
        "mapping[0] = 1; mapping.flush()",
        "mmap, 30 MB of a file",
        HOLDS,
        "Modules/mmapmodule.c",
        "mmap_mmap_flush_impl: msync() without a release",
        given=givens.mapping,
    ),
    Known(
        "mapping[:]",
        "mmap, 30 MB of a file",
        HOLDS,
        "Modules/mmapmodule.c",
        "a memcpy() without a release, even if pages must be read from disk",
        given=givens.mapping,
    ),
)

SOCKETS = (
    Known(
        "select.select([], [], [], 0.05)",
        "50 ms",
        RELEASES,
        _SELECT,
        "select_select_impl: select() with the GIL released",
        "import select",
    ),
    Known(
        "poll.poll(50)",
        "50 ms",
        RELEASES,
        _SELECT,
        "select_poll_poll_impl: poll() with the GIL released",
        "import select; poll = select.poll()",
        needs="select.poll",
    ),
    Known(
        "selector.select(0.05)",
        "50 ms",
        RELEASES,
        _SELECT,
        "the system's best of epoll, kqueue and poll: each with the GIL released",
        given=givens.selector,
    ),
    Known(
        "asyncio.run(asyncio.sleep(0.1))",
        "100 ms",
        RELEASES,
        "Lib/asyncio/base_events.py",
        "_run_once: waits in its selector",
        "import asyncio",
    ),
    Known(
        "connection.recv(100)",
        "a byte every 50 ms",
        RELEASES,
        _SOCKET,
        "sock_call_ex(): waits for and calls recv() with the GIL released",
        given=givens.connection,
    ),
    Known(
        "server.accept()[0].close()",
        "a client every 50 ms",
        RELEASES,
        _SOCKET,
        "sock_call_ex(): waits for and calls accept() with the GIL released",
        given=givens.server,
    ),
)

PROCESSES = (
    Known(
        "os.waitpid(os.posix_spawnp('sleep', ['sleep', '0.2'], os.environ), 0)",
        "a child of 200 ms, its start too",
        RELEASES,
        _POSIX,
        "os_waitpid_impl: waitpid() with the GIL released",
        "import os",
        needs="os.posix_spawnp",
    ),
    Known(
        "subprocess.run(['sleep', '0.2'])",
        "a child of 200 ms, its start too",
        RELEASES,
        "Lib/subprocess.py",
        "Popen._wait(): calls os.waitpid()",
        "import subprocess",
    ),
    Known(
        "os.system('sleep 0.2')",
        "a child of 200 ms, its start too",
        RELEASES,
        _POSIX,
        "os_system_impl: system() with the GIL released",
        "import os",
    ),
    Known(
        "ours.poll(0.05)",
        "multiprocessing.Pipe, 50 ms",
        RELEASES,
        "Lib/multiprocessing/connection.py",
        "wait(): a selector",
        given=givens.silent_pipe,
    ),
    Known(
        "signal.sigtimedwait([signal.SIGUSR2], 0.05)",
        "50 ms",
        RELEASES,
        "Modules/signalmodule.c",
        "signal_sigtimedwait_impl: sigtimedwait() with the GIL released",
        "import signal",
        needs="signal.sigtimedwait",
    ),
)

C_LIBRARIES = (
    Known(
        "usleep(50_000)",
        "ctypes.CDLL, 50 ms",
        RELEASES,
        "Modules/_ctypes/callproc.c",
        "_call_function_pointer(): released, unless FUNCFLAG_PYTHONAPI is set",
        "import ctypes; usleep = ctypes.CDLL(None).usleep",
        needs="_ctypes",
    ),
    Known(
        "usleep(50_000)",
        "ctypes.PyDLL, 50 ms",
        HOLDS,
        "Modules/_ctypes/callproc.c",
        "_call_function_pointer(): FUNCFLAG_PYTHONAPI is what PyDLL sets",
        "import ctypes; usleep = ctypes.PyDLL(None).usleep",
        needs="_ctypes",
    ),
    Known(
        "ctypes.memset(buffer, 1, 30_000_000)",
        "30 MB",
        RELEASES,
        "Lib/ctypes/__init__.py",
        "memset is made by CFUNCTYPE: called as the functions of a CDLL are",
        "import ctypes; buffer = ctypes.create_string_buffer(30_000_000)",
        needs="_ctypes",
    ),
)
