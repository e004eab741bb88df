"""Builds gildemo._core. All metadata is in pyproject.toml."""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup

if sys.platform == "win32":
    sys.exit("gildemo needs waitpid(), which Windows does not have: Linux and macOS are supported.")

compile_args = ["-std=c11", "-Wall", "-Wextra", "-Wno-missing-field-initializers"]
# Export nothing but PyInit__core(), which PyMODINIT_FUNC makes visible.
compile_args += ["-fvisibility=hidden"]
link_args: list[str] = []
if os.environ.get("GILDEMO_SANITIZE"):
    # For development: run with LD_PRELOAD="$(cc -print-file-name=libasan.so)".
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    compile_args += [*sanitize, "-g", "-O1", "-fno-omit-frame-pointer"]
    link_args += sanitize

setup(
    ext_modules=[
        Extension(
            "gildemo._core",
            sources=sorted(str(path) for path in Path("csrc").rglob("*.c")),
            depends=sorted(str(path) for path in Path("csrc").rglob("*.h")),
            libraries=["m"],
            extra_compile_args=compile_args,
            extra_link_args=link_args,
        )
    ]
)
