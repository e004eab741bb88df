"""Data structures, code and numbers."""

from __future__ import annotations

from known_functions import givens
from known_functions.known import HOLDS, RELEASES, Known

_NEVER = "there is no Py_BEGIN_ALLOW_THREADS in this file"
_PYTHON = "Python code: it gives the GIL up only to a thread that asks for it"

_RECORDS = 'data = [{"a": i, "b": [1.5, None, "x"]} for i in range(5_000)]'

DATA = (
    Known(
        "json.dumps(data)",
        "5,000 dicts",
        HOLDS,
        "Modules/_json.c",
        _NEVER,
        f"import json; {_RECORDS}",
    ),
    Known(
        "json.loads(text)",
        "5,000 dicts",
        HOLDS,
        "Modules/_json.c",
        _NEVER,
        f"import json; {_RECORDS}; text = json.dumps(data)",
    ),
    Known(
        "pickle.dumps(data)",
        "5,000 dicts",
        HOLDS,
        "Modules/_pickle.c",
        _NEVER,
        f"import pickle; {_RECORDS}",
    ),
    Known(
        "pickle.loads(pickled)",
        "5,000 dicts",
        HOLDS,
        "Modules/_pickle.c",
        _NEVER,
        f"import pickle; {_RECORDS}; pickled = pickle.dumps(data)",
    ),
    Known(
        "marshal.dumps(data)",
        "5,000 dicts",
        HOLDS,
        "Python/marshal.c",
        _NEVER,
        f"import marshal; {_RECORDS}",
    ),
    Known(
        "copy.deepcopy(data)",
        "5,000 dicts",
        HOLDS,
        "Lib/copy.py",
        _PYTHON,
        f"import copy; {_RECORDS}",
    ),
    Known(
        "list(csv.reader(lines))",
        "10,000 lines",
        HOLDS,
        "Modules/_csv.c",
        _NEVER,
        "import csv; lines = ['a,b,\"c,d\",1,2'] * 10_000",
    ),
    Known(
        "ElementTree.fromstring(text)",
        "10,000 elements",
        HOLDS,
        "Modules/_elementtree.c",
        _NEVER,
        "from xml.etree import ElementTree\ntext = '<a>' + '<b c=\"d\">e</b>' * 10_000 + '</a>'",
        needs="pyexpat",
    ),
    Known(
        "sorted(data)",
        "100,000 floats",
        HOLDS,
        "Objects/listobject.c",
        _NEVER,
        "import random; data = [random.random() for _ in range(100_000)]",
    ),
    Known(
        "connection.execute(query).fetchone()",
        "sqlite3, a sum of 100,000 numbers",
        RELEASES,
        "Modules/_sqlite/cursor.c",
        "stmt_step(): sqlite3_step() with the GIL released",
        "query = '''with recursive n(i) as (select 1 union all select i + 1 from n\n"
        "           where i < 100000) select sum(i) from n'''",
        given=givens.database,
        needs="_sqlite3",
    ),
    Known(
        "gc.collect()",
        "300,000 lists",
        HOLDS,
        "Python/gc.c",
        _NEVER,
        "import gc; data = [[] for _ in range(300_000)]",
    ),
    Known(
        "ast.parse(text)",
        "500 lines",
        HOLDS,
        "Parser/pegen.c",
        _NEVER,
        "import ast; text = 'x = [a + b * c for a in f(b)]\\n' * 500",
    ),
    Known(
        "compile(text, 'text', 'exec')",
        "500 lines",
        HOLDS,
        "Python/compile.c",
        _NEVER,
        "text = 'x = [a + b * c for a in f(b)]\\n' * 500",
    ),
)

NUMBERS = (
    Known(
        "base**100_000",
        "base 3, 158,497 bits",
        HOLDS,
        "Objects/longobject.c",
        _NEVER,
        "base = 3",
    ),
    Known(
        "pow(3, p - 1, p)",
        "2,203 bits",
        HOLDS,
        "Objects/longobject.c",
        _NEVER,
        "p = 2**2203 - 1",
    ),
    Known(
        "str(number)",
        "3,381 digits",
        HOLDS,
        "Objects/longobject.c",
        _NEVER,
        "number = 7**4000",
        times=100,
    ),
    Known(
        "int(digits)",
        "4,000 digits",
        HOLDS,
        "Objects/longobject.c",
        _NEVER,
        "digits = '7' * 4000",
        times=100,
    ),
    Known(
        "math.factorial(20_000)",
        "77,338 digits",
        HOLDS,
        "Modules/mathmodule.c",
        _NEVER,
        "import math",
    ),
    Known(
        "context.sqrt(two)",
        "decimal, 10,000 digits",
        HOLDS,
        "Modules/_decimal/_decimal.c",
        _NEVER,
        "import decimal; context = decimal.Context(prec=10_000); two = decimal.Decimal(2)",
        needs="_decimal",
    ),
    Known(
        "statistics.median(data)",
        "10,000 floats",
        HOLDS,
        "Lib/statistics.py",
        "Python code around sorted()",
        "import random, statistics; data = [random.random() for _ in range(10_000)]",
    ),
    Known(
        "sum(i * i for i in numbers)",
        "100,000 steps",
        HOLDS,
        "Python/ceval_gil.c",
        "the GIL is given up to a thread that has asked for it for a switch interval, else never",
        "numbers = range(100_000)",
    ),
)
