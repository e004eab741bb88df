"""Measures the table on this Python, and brings docs/which-functions-release-the-gil.md up to date.

python -m known_functions              measure, save the figures, and render the document
python -m known_functions --print      measure and print the figures; write no file
python -m known_functions --add FILE   add figures that --print has printed (-: from stdin)
python -m known_functions --render     only render the document from the saved figures
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from gildemo import GilMonitorUnavailable
from known_functions import document


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m known_functions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--print", action="store_true")
    group.add_argument("--add", metavar="FILE")
    group.add_argument("--render", action="store_true")
    options = parser.parse_args()
    versions = document.read()
    if options.add is not None:
        text = sys.stdin.read() if options.add == "-" else Path(options.add).read_text()
        versions.update(json.loads(text))
    elif not options.render:
        try:
            figures = document.measure(lambda line: print(line, file=sys.stderr))
        except GilMonitorUnavailable as error:
            print(error, file=sys.stderr)
            return 1
        if options.print:
            print(json.dumps({document.version(): figures}))
            return 0
        versions[document.version()] = figures
    document.write(versions)
    return 0


sys.exit(main())
