"""Ways for Python code to be in the middle of something, for test_frames.py.

Each situation is a function that calls `check` where the frames are to be compared.
"""

# Most situations consist of what a linter would simplify.
# ruff: noqa: B018, C4, SIM

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import sys
import threading
import types
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

Check = Callable[[], object]
Situation = Callable[[Check], object]

SITUATIONS: dict[str, Situation] = {}

# Enough for the specializing interpreter, and for the JIT.
HOT = 3000
SOMETIMES = 700


def situation(function: Situation) -> Situation:
    SITUATIONS[function.__name__] = function
    return function


def now_and_then(i: int) -> bool:
    return i % SOMETIMES == SOMETIMES - 1


@situation
def function(check: Check) -> None:
    check()


def descend(depth: int, check: Check) -> None:
    if depth:
        descend(depth - 1, check)
    else:
        check()


@situation
def recursion(check: Check) -> None:
    for depth in (1, 20, 100):
        descend(depth, check)


@situation
def deep_recursion(check: Check) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(3000)
    try:
        descend(900, check)
    finally:
        sys.setrecursionlimit(limit)


@situation
def mutual_recursion(check: Check) -> None:
    def even(n: int) -> None:
        odd(n - 1) if n else check()

    def odd(n: int) -> None:
        even(n - 1) if n else check()

    even(40)


@situation
def recursion_through_c(check: Check) -> None:
    def again(n: int) -> None:
        list(map(again, [n - 1])) if n else check()

    again(30)


def generate(check: Check) -> Iterator[int]:
    check()
    yield 1
    check()
    yield 2


@situation
def generator(check: Check) -> None:
    sum(generate(check))


@situation
def generator_expression(check: Check) -> None:
    sum(1 for _ in range(2) if not check())


@situation
def yield_from(check: Check) -> None:
    def outer() -> Iterator[int]:
        yield from generate(check)

    list(outer())


@situation
def deep_yield_from(check: Check) -> None:
    def nested(depth: int) -> Iterator[int]:
        if depth:
            yield from nested(depth - 1)
        else:
            yield from generate(check)

    list(nested(150))


@situation
def generator_throw(check: Check) -> None:
    def catches() -> Iterator[int]:
        try:
            yield 1
        except ValueError:
            check()
            yield 2

    generator = catches()
    next(generator)
    generator.throw(ValueError)  # type: ignore[attr-defined]


@situation
def generator_close(check: Check) -> None:
    def closes() -> Iterator[int]:
        try:
            yield 1
        finally:
            check()

    generator = closes()
    next(generator)
    generator.close()  # type: ignore[attr-defined]


@situation
def generator_in_another_thread(check: Check) -> None:
    generator = generate(check)
    next(generator)
    thread = threading.Thread(target=list, args=(generator,))
    thread.start()
    thread.join()


async def pause(check: Check) -> None:
    check()
    await asyncio.sleep(0)
    check()


@situation
def coroutine(check: Check) -> None:
    asyncio.run(pause(check))


@situation
def deep_coroutine(check: Check) -> None:
    async def nested(depth: int) -> None:
        await (nested(depth - 1) if depth else pause(check))

    asyncio.run(nested(100))


@situation
def tasks(check: Check) -> None:
    async def main() -> None:
        await asyncio.gather(*(pause(check) for _ in range(3)))

    asyncio.run(main())


@situation
def async_generator(check: Check) -> None:
    async def numbers() -> AsyncIterator[int]:
        check()
        yield 1

    async def main() -> None:
        async for _ in numbers():
            check()

    asyncio.run(main())


@situation
def async_with(check: Check) -> None:
    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(check)

    asyncio.run(main())


@situation
def bare_coroutine(check: Check) -> None:
    @types.coroutine
    def waits() -> Iterator[None]:
        check()
        yield

    async def main() -> None:
        await waits()

    running = main()
    running.send(None)
    with contextlib.suppress(StopIteration):
        running.send(None)


def through(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@situation
@through
@through
def decorated(check: Check) -> None:
    check()


@situation
def lru_cache(check: Check) -> None:
    functools.lru_cache(lambda _: check())(1)


@situation
def partial(check: Check) -> None:
    functools.partial(lambda a, b: check(), 1)(2)


@situation
def reduce(check: Check) -> None:
    functools.reduce(lambda a, b: (check(), a + b)[1], [1, 2, 3])


@situation
def lambda_in_map(check: Check) -> None:
    list(map(lambda _: check(), [1]))  # noqa: C417


@situation
def sort_key(check: Check) -> None:
    sorted([3, 1, 2], key=lambda x: (check(), x)[1])


@situation
def sort_comparison(check: Check) -> None:
    class Ordered:
        def __lt__(self, other: object) -> bool:
            check()
            return False

    sorted([Ordered(), Ordered()])


@situation
def regex_callback(check: Check) -> None:
    re.sub("a", lambda match: (check(), "b")[1], "aa")


@situation
def list_comprehension(check: Check) -> None:
    [check() for _ in range(2)]


@situation
def nested_comprehensions(check: Check) -> None:
    [{j: check() for j in range(2)} for i in range(2)]


@situation
def set_comprehension(check: Check) -> None:
    {check() for _ in range(2)}


@situation
def class_body(check: Check) -> None:
    class Body:
        check()


@situation
def init(check: Check) -> None:
    class Made:
        def __init__(self) -> None:
            check()

    Made()


@situation
def new(check: Check) -> None:
    class Made:
        def __new__(cls) -> Made:
            check()
            return super().__new__(cls)

    Made()


@situation
def finalizer(check: Check) -> None:
    class Dies:
        def __del__(self) -> None:
            check()

    Dies()


@situation
def metaclass_call(check: Check) -> None:
    class Meta(type):
        def __call__(cls, *args: Any) -> Any:
            check()
            return super().__call__(*args)

    class Made(metaclass=Meta):
        def __init__(self) -> None:
            check()

    Made()


@situation
def init_subclass(check: Check) -> None:
    class Base:
        def __init_subclass__(cls) -> None:
            check()

    class Derived(Base):
        pass


@situation
def attributes(check: Check) -> None:
    class Asked:
        def __getattr__(self, name: str) -> int:
            check()
            return 1

        @property
        def value(self) -> int:
            check()
            return 1

    asked = Asked()
    asked.missing, asked.value


@situation
def getattribute(check: Check) -> None:
    class Asked:
        def __getattribute__(self, name: str) -> int:
            check()
            return 1

    Asked().anything


@situation
def methods(check: Check) -> None:
    class Called:
        def __call__(self) -> None:
            check()

        def method(self, *args: Any, **kwargs: Any) -> None:
            check()

        @classmethod
        def of_class(cls) -> None:
            check()

        @staticmethod
        def static() -> None:
            check()

    called = Called()
    called()
    called.method(1, *(2,), **{"x": 3})
    called.of_class()
    called.static()


@situation
def operators(check: Check) -> None:
    class Number:
        def __add__(self, other: object) -> int:
            check()
            return 1

        def __radd__(self, other: object) -> int:
            check()
            return 1

        def __contains__(self, other: object) -> bool:
            check()
            return True

        def __getitem__(self, key: object) -> int:
            check()
            return 1

        def __bool__(self) -> bool:
            check()
            return True

        def __hash__(self) -> int:
            check()
            return 1

    number = Number()
    number + 1, 1 + number, 1 in number, number[1], not number, {number: 1}


@situation
def descriptors(check: Check) -> None:
    class Descriptor:
        def __get__(self, instance: object, owner: object = None) -> int:
            check()
            return 1

        def __set__(self, instance: object, value: object) -> None:
            check()

        def __set_name__(self, owner: type, name: str) -> None:
            check()

    class Owner:
        value = Descriptor()

    owner = Owner()
    owner.value = 1
    owner.value


@situation
def text_of_exception(check: Check) -> None:
    class ToldError(Exception):
        def __str__(self) -> str:
            check()
            return ""

    f"{ToldError()!s}"


@situation
def formatting(check: Check) -> None:
    class Formatted:
        def __format__(self, spec: str) -> str:
            check()
            return ""

    f"{Formatted():10}"


@situation
def closure(check: Check) -> None:
    value = 1

    def inner() -> int:
        check()
        return value

    inner()


@situation
def except_and_finally(check: Check) -> None:
    try:
        raise ValueError
    except ValueError:
        check()
    finally:
        check()


@situation
def with_statement(check: Check) -> None:
    @contextlib.contextmanager
    def context() -> Iterator[None]:
        check()
        yield
        check()

    with context():
        check()


@situation
def match_statement(check: Check) -> None:
    class Matched:
        __match_args__ = ("value",)

        @property
        def value(self) -> int:
            check()
            return 1

    match Matched():
        case Matched(1):
            check()


@situation
def many_arguments(check: Check) -> None:
    def called(a: int, /, b: int, *rest: int, c: int = 3, **more: int) -> None:
        check()

    called(1, 2, 3, c=4, d=5)


@situation
def large_frame(check: Check) -> None:
    names = ", ".join(f"v{i}" for i in range(2000))
    text = f"def large(check):\n    {names} = range(2000)\n    check()\n    return large2(check)\n"
    namespace: dict[str, Any] = {"large2": lambda check: check()}
    exec(text, namespace)
    namespace["large"](check)


@situation
def exec_and_eval(check: Check) -> None:
    exec("def f():\n    check()\nf()\ncheck()", {"check": check})
    eval("check()", {"check": check})


@situation
def not_ascii(check: Check) -> None:
    for name in ("é", "ж", "\U00020000"):
        namespace: dict[str, Any] = {"check": check}
        exec(compile(f"def {name}():\n    check()\n{name}()", f"{name}.py", "exec"), namespace)


@situation
def undecodable_file_name(check: Check) -> None:
    exec(compile("check()", b"\xff.py", "exec"), {"check": check})


@situation
def no_line_numbers(check: Check) -> None:
    code = compile("def f():\n    check()\nf()", "no_lines.py", "exec")
    bare = code.replace(
        co_linetable=b"",
        co_consts=tuple(
            const.replace(co_linetable=b"") if isinstance(const, types.CodeType) else const
            for const in code.co_consts
        ),
    )
    exec(bare, {"check": check})


@situation
def thread(check: Check) -> None:
    thread = threading.Thread(target=check)
    thread.start()
    thread.join()


@situation
def trace(check: Check) -> None:
    before = sys.gettrace()
    sys.settrace(lambda *args: None)
    try:
        function(check)
    finally:
        sys.settrace(before)


@situation
def trace_function(check: Check) -> None:
    def traced() -> int:
        return 1

    def tracer(frame: types.FrameType, event: str, arg: object) -> Any:
        if frame.f_code is traced.__code__:
            check()
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        traced()
    finally:
        sys.settrace(before)


@situation
def profile_function(check: Check) -> None:
    def profiled() -> int:
        return 1

    def profiler(frame: types.FrameType, event: str, arg: object) -> None:
        if frame.f_code is profiled.__code__:
            check()

    sys.setprofile(profiler)
    try:
        profiled()
    finally:
        sys.setprofile(None)


@situation
def frame_objects(check: Check) -> None:
    def keeps() -> types.FrameType:
        frame = sys._getframe()
        check()
        return frame

    kept = keeps()
    check()
    kept.clear()


@situation
def specialized_calls(check: Check) -> None:
    def called(i: int) -> int:
        if now_and_then(i):
            check()
        return i

    for i in range(HOT):
        called(i)


@situation
def specialized_loop(check: Check) -> None:
    total = 0
    for i in range(20 * HOT):
        total += i & 3
        if i % (10 * SOMETIMES) == 1:
            check()


@situation
def specialized_classes(check: Check) -> None:
    class Hot:
        __slots__ = ("i",)

        def __init__(self, i: int) -> None:
            if now_and_then(i):
                check()
            self.i = i

        @property
        def value(self) -> int:
            if now_and_then(self.i):
                check()
            return 1

        def __getitem__(self, key: int) -> int:
            if now_and_then(self.i):
                check()
            return key

        def method(self, *args: Any, **kwargs: Any) -> None:
            if now_and_then(self.i):
                check()

    for i in range(HOT):
        hot = Hot(i)
        hot.value
        hot[1]
        hot.method(1, *(2,), **{"x": 3})


@situation
def specialized_generators(check: Check) -> None:
    def numbers() -> Iterator[int]:
        for i in range(HOT):
            if now_and_then(i):
                check()
            yield i

    def delegates() -> Iterator[int]:
        yield from numbers()

    for _ in numbers():
        pass
    for _ in delegates():
        pass
    sum(numbers())


@situation
def specialized_coroutines(check: Check) -> None:
    async def awaited(i: int) -> None:
        if now_and_then(i):
            check()

    async def main() -> None:
        for i in range(HOT):
            await awaited(i)

    asyncio.run(main())


@situation
def specialized_lambdas(check: Check) -> None:
    for i in range(HOT):
        (lambda i: check() if now_and_then(i) else None)(i)


if sys.version_info >= (3, 12):

    @situation
    def monitoring(check: Check) -> None:
        tool = 4
        events = sys.monitoring.events
        wanted = (events.CALL, events.LINE, events.INSTRUCTION, events.PY_START)
        sys.monitoring.use_tool_id(tool, "test_frames")
        for event in wanted:
            sys.monitoring.register_callback(tool, event, lambda *args: None)
        sys.monitoring.set_events(tool, functools.reduce(int.__or__, wanted))
        try:
            function(check)
            yield_from(check)
            init(check)
        finally:
            sys.monitoring.set_events(tool, 0)
            sys.monitoring.free_tool_id(tool)

    @situation
    def monitoring_callback(check: Check) -> None:
        def monitored() -> int:
            return 1

        def callback(code: types.CodeType, *args: Any) -> None:
            if code is monitored.__code__:
                check()

        tool = 4
        sys.monitoring.use_tool_id(tool, "test_frames")
        sys.monitoring.register_callback(tool, sys.monitoring.events.PY_START, callback)
        sys.monitoring.set_events(tool, sys.monitoring.events.PY_START)
        try:
            monitored()
        finally:
            sys.monitoring.set_events(tool, 0)
            sys.monitoring.free_tool_id(tool)
