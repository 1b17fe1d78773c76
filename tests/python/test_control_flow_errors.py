"""What traced control flow refuses, with the whole message and the user's line."""

import re
import sys
import types

import numpy as np
import pytest
from refusals import refused

import enigma


def test_step_0() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        with enigma.for_range(0, 10, 0) as i:  # HERE
            A[i] = 0

    assert refused(k) == "for_range: the step is 0, so the loop would never end"


def test_python_if_on_a_traced_value() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        if A[0] > 0:  # HERE
            A[0] = 0

    assert "use `with enigma.if_(c):` for `if`" in refused(k)


def test_python_while_and_or_not() -> None:
    @enigma.kernel
    def loop(A: enigma.f32):
        while A[0] > 0:  # HERE
            A[0] = 0

    @enigma.kernel
    def both(A: enigma.f32):
        A[0] = A[0] > 0 and A[1] > 0  # HERE

    @enigma.kernel
    def negated(A: enigma.f32):
        A[0] = not A[0]  # HERE

    @enigma.kernel
    def chained(A: enigma.f32):
        A[0] = 0 < A[0] < 1  # HERE

    for kernel in (loop, both, negated, chained):
        assert "has no truth in Python" in refused(kernel)


def test_traced_bound_in_python_range() -> None:
    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar("int")):
        for i in range(n):  # HERE
            A[i] = 0

    assert "use enigma.for_range" in refused(k)

    @enigma.kernel
    def constexpr(A: enigma.f32, n: enigma.Scalar("int")):
        for i in enigma.range_constexpr(n):  # HERE
            A[i] = 0

    assert refused(constexpr) == (
        "range_constexpr is unrolled while tracing, so it takes ints, not a traced value; use "
        "enigma.for_range or enigma.range"
    )


def test_while_without_a_function() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        i = A[0]
        with enigma.while_(i > 0):  # HERE
            i = i - 1

    assert refused(k) == (
        "while_ takes a function that gives the condition, since it is evaluated again before each "
        "turn: write `enigma.while_(lambda: ...)`"
    )


def test_value_of_a_region_used_after_it() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        with enigma.for_range(0, 4) as i:
            x = A[i]
        A[0] = x  # HERE

    message = refused(k)
    line = k.lineno + 2
    assert message == f"x is assigned inside the loop at line {line}; give it a value before it"


def test_index_used_after_its_loop() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        with enigma.for_range(0, 4) as i:
            A[i] = 0
        A[i] = 1  # HERE

    assert refused(k).startswith("i counts the loop at line ")


def test_value_of_one_arm_used_after_it() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        with enigma.if_(A[0] > 0) as (then, otherwise):
            with then:
                x = A[1]
            with otherwise:
                A[2] = 0
        A[0] = x  # HERE

    assert refused(k).startswith("x is assigned inside the if_ at line ")


def test_break_continue_return_out_of_a_region() -> None:
    @enigma.kernel
    def leaves_if(A: enigma.f32):
        for j in range(3):
            with enigma.if_(A[j] > 0):
                break  # HERE

    @enigma.kernel
    def goes_on(A: enigma.f32):
        for j in range(3):
            with enigma.for_range(0, 2) as i:
                A[i] = j
                continue  # HERE

    @enigma.kernel
    def leaves_range(A: enigma.f32):
        for _ in enigma.range(3):
            if enigma:
                break  # HERE

    def helper(A):
        with enigma.if_(A[0] > 0):
            return A[1]  # HERE

    @enigma.kernel
    def returns(A: enigma.f32):
        A[0] = helper(A)

    for kernel, what, region, up in [
        (leaves_if, "break", "if_", 1),
        (goes_on, "continue", "for_range", 2),
        (leaves_range, "break", "enigma.range", 2),
        (returns, "return", "if_", 1),
    ]:
        with pytest.raises(enigma.EnigmaError) as caught:
            enigma.compile(kernel)
        line = caught.value.lineno - up
        assert refused(kernel) == (
            f"`{what}` cannot leave the {region} at line {line}: its body is traced once, for "
            "every turn and thread; put the rest of the body under `with enigma.if_(...)`"
        )


def test_early_return() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        if enigma:
            return  # HERE
        A[0] = 0

    assert refused(k) == (
        "kernel 'k' returns early: its body is traced as a whole, so write the rest under `with "
        "enigma.if_(...)`"
    )


def test_returned_value() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        return A[0]  # HERE

    assert refused(k) == (
        "kernel 'k' returns a value: kernels give their results by writing to buffers, as in "
        "Out[tid] = value"
    )

    @enigma.kernel
    def nothing(A: enigma.f32):
        A[0] = 0
        return

    enigma.compile(nothing)


def test_name_that_stops_being_a_number() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        x = None
        with enigma.for_range(0, 4) as i:  # HERE
            x = A[i]
        A[0] = x

    line = k.lineno + 3
    assert refused(k) == (
        f"'x' is None before the for_range at line {line} and a number at the end of its body: a "
        "traced region can change numbers only; use another name"
    )

    @enigma.kernel
    def swapped(A: enigma.f32, B: enigma.f32):
        source, target = A, B
        with enigma.for_range(0, 4) as i:  # HERE
            target[i] = source[i]
            source, target = target, source

    assert refused(swapped).startswith("'source' is a TracingTensor before the for_range")

    @enigma.kernel
    def grows(A: enigma.f32):
        values = [A[0]]
        with enigma.if_(A[0] > 0):  # HERE
            values = [A[0], A[1]]

    assert "is a list of 1 before the if_" in refused(grows)

    @enigma.kernel
    def deleted(A: enigma.f32):
        x = A[0]
        with enigma.if_(x > 0):  # HERE
            del x

    assert refused(deleted) == f"'x' is deleted in the if_ at line {deleted.lineno + 3}"


def test_init_that_is_not_bound() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        with enigma.for_range(0, 4, init=[1.0, 2.0]) as i:  # HERE
            A[i] = 0

    assert refused(k) == (
        "for_range: init has 2 values, so bind them as `as (i, c0, c1)`, each to a name of its own"
    )

    @enigma.kernel
    def number(A: enigma.f32):
        with enigma.for_range(0, 4, init=1.0) as (i, acc):  # HERE
            A[i] = acc

    assert refused(number) == "for_range: init takes a list of values: init=[...]"


def test_statements_outside_of_the_arms() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        with enigma.if_(A[0] > 0) as (then, otherwise):  # HERE
            A[1] = 0
            with then:
                A[2] = 0

    assert refused(k) == (
        "if_: where the arms have names, every statement belongs into one of them: `with then:` or "
        "`with otherwise:`"
    )

    @enigma.kernel
    def reversed_arms(A: enigma.f32):
        with enigma.if_(A[0] > 0) as (then, otherwise):
            with otherwise:
                A[2] = 0
            with then:  # HERE
                A[1] = 0

    assert refused(reversed_arms) == (
        "if_: `then` comes before `otherwise`, and each can be entered only once"
    )


def test_condition_that_changes_a_list() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        state = [A[0]]

        def going():
            state[0] = state[0] - 1
            return state[0] > 0

        with enigma.while_(going):  # HERE
            state[0] = state[0] * 2

    assert refused(k) == "while_: the condition changes 'state'; change it in the body"


def test_exceptions_propagate_as_themselves() -> None:
    @enigma.kernel
    def k(A: enigma.f32):
        with enigma.for_range(0, 4):
            with enigma.if_(A[0] > 0):
                raise ZeroDivisionError("mine")

    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="mine") as caught:
            enigma.compile(k)
        assert caught.traceback[-1].lineno + 1 == k.lineno + 4
        assert not enigma._core.has_trace()

    @enigma.kernel
    def swallowed(A: enigma.f32):
        try:
            with enigma.for_range(0, 4):
                raise ZeroDivisionError
        except ZeroDivisionError:
            A[0] = 1

    assert refused(swallowed, marked=False) == (
        "kernel 'swallowed' cannot be traced: an exception has left the for_range at line "
        f"{swallowed.lineno + 3}"
    )


@pytest.mark.usefixtures("device")
def test_fraction_that_a_typed_integer_drops() -> None:
    @enigma.kernel
    def k(A: enigma.f32, X: enigma.i32):
        x = X[0]
        with enigma.for_range(0, 4) as i:
            x = x + A[i]
        X[0] = x

    with pytest.warns(UserWarning) as caught:
        compiled = enigma.compile(k)
    (warning,) = caught
    line = k.lineno + 3
    assert (warning.filename, warning.lineno) == (__file__, line)
    assert str(warning.message) == (
        f"'x' is i32 before the for_range at line {line} and becomes f32 in it, so that its "
        "fraction is dropped in every turn: start it as enigma.f32(...), or convert it with "
        "enigma.metal_cast"
    )
    a, x = np.full(4, 1.5, np.float32), np.zeros(1, np.int32)
    compiled(a, x, grid=1, threads=32)
    assert x[0] == 4


# ---- kernels without source ----------------------------------------------------------------------


def built(source: str, **names: object) -> types.SimpleNamespace:
    """Runs source that cannot be read back."""
    scope: dict[str, object] = {"enigma": enigma, "__name__": "typed_in", **names}
    exec(compile(source, "<typed in>", "exec"), scope)
    return types.SimpleNamespace(**scope)


@pytest.mark.usefixtures("device")
def test_without_source_what_loses_nothing_works() -> None:
    k = built("""
@enigma.kernel
def k(A: enigma.f32, Out: enigma.f32):
    with enigma.for_range(0, 4) as i:
        x = A[i]
        with enigma.if_(x > 1) as (then, otherwise):
            with then:
                Out[i] = x
            with otherwise:
                Out[i] = -x
    for i in enigma.range(4):
        y = Out[i]
        Out[i] = y * 2
""").k
    a, out = np.arange(4, dtype=np.float32), np.zeros(4, np.float32)
    enigma.compile(k)(a, out, grid=1, threads=32)
    assert out.tolist() == [0, -2, 4, 6]


def test_without_source_a_lost_name_is_an_error() -> None:
    k = built("""
@enigma.kernel
def k(A: enigma.f32, Out: enigma.f32):
    acc = 0.0
    with enigma.for_range(0, 4) as i:
        acc = acc + A[i]
    Out[0] = acc
""").k
    assert refused(k, marked=False) == (
        "'acc' is changed in the for_range at line 5, but its new value would be lost: Enigma "
        "cannot read the source of this function, which it needs to carry names; keep it in a "
        "Carry: `c = enigma.Carry(acc)` before, and `c[0] = ...` in the body"
    )
    for body in (
        "with enigma.if_(A[0] > 0):\n        x = 2.0",
        "with enigma.while_(lambda: x < 3):\n        x = x + 1",
        "for i in enigma.range(3):\n        x = x + 1",
        "with enigma.if_(A[0] > 0):\n        x = None",
        "with enigma.if_(A[0] > 0):\n        values[0] = A[1]",
    ):
        source = f"""
@enigma.kernel
def k(A: enigma.f32, Out: enigma.f32):
    x = 1.0
    values = [1.0]
    {body}
    Out[0] = x
"""
        assert re.search(r"'(x|values)' is changed in the", refused(built(source).k, marked=False))


@pytest.mark.usefixtures("device")
def test_without_source_a_carry_works() -> None:
    k = built("""
@enigma.kernel
def k(A: enigma.f32, Out: enigma.f32):
    c = enigma.Carry(0, 1.0)
    assert len(c) == 2
    with enigma.for_range(0, 4) as i:
        c[0] = c[0] + A[i]
        with enigma.if_(A[i] > 2):
            c[1] = c[1] * A[i]
    n = enigma.Carry(0)
    with enigma.while_(lambda: n[0] < 5):
        n[0] = n[0] + 2
    total, product = c
    Out[0] = total
    Out[1] = product
    Out[2] = n[0]
""").k
    a, out = np.arange(1, 5, dtype=np.float32), np.zeros(3, np.float32)
    enigma.compile(k)(a, out, grid=1, threads=32)
    assert out.tolist() == [10, 12, 6]


@pytest.mark.usefixtures("device")
def test_notebook_cells_have_source() -> None:
    import linecache

    source = (
        "@enigma.kernel\n"
        "def k(A: enigma.f32, Out: enigma.f32):\n"
        "    acc = 0.0\n"
        "    with enigma.for_range(0, 4) as i:\n"
        "        acc = acc + A[i]\n"
        "    Out[0] = acc\n"
    )
    name = "<ipython-input-7-abcdef>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    module = types.ModuleType("__notebook__")
    module.enigma = enigma  # type: ignore[attr-defined]
    sys.modules["__notebook__"] = module
    try:
        exec(compile(source, name, "exec"), module.__dict__)
        a, out = np.arange(1, 5, dtype=np.float32), np.zeros(1, np.float32)
        enigma.compile(module.k)(a, out, grid=1, threads=32)
        assert out[0] == 10
    finally:
        del sys.modules["__notebook__"], linecache.cache[name]


def sourced(source: str) -> types.ModuleType:
    """A module whose source can be read, as that of a notebook's cell."""
    import linecache

    name = f"<cell {source}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    module = types.ModuleType("cell")
    module.__dict__.update(enigma=enigma, np=np, types=types)
    exec(compile(source, name, "exec"), module.__dict__)
    return module


NOT_CARRIED = (
    "is changed in the for_range at line 8 in a way that cannot be carried, since the body is "
    "traced once: a region carries names, and elements of lists and dicts that its body itself "
    "assigns; keep the value in a name or an enigma.Carry"
)


@pytest.mark.parametrize(
    "before, body",
    [
        ("state = [0.0, 1.0]", "state.insert(0, state.pop() + 1)"),
        ("state = [0.0]", "bump(state)"),
        ("state = {'a': 0.0}", "state.update(a=state['a'] + 1)"),
        ("state = types.SimpleNamespace(v=0.0)", "state.v = state.v + 1"),
        ("state = np.zeros(4)", "state[0] += 1"),
    ],
)
def test_a_change_that_cannot_be_carried(before: str, body: str) -> None:
    source = f"""
@enigma.kernel
def k(A: enigma.f32):
    def bump(values):
        values[0] = values[0] + 1

    {before}
    with enigma.for_range(0, 3) as i:
        {body}
    A[0] = 1.0
"""
    assert NOT_CARRIED.replace("is changed", "'state' is changed") in refused(
        sourced(source).k, marked=False
    )


@pytest.mark.usefixtures("device")
def test_what_is_appended_may_stay() -> None:
    k = sourced("""
@enigma.kernel
def k(A: enigma.f32):
    seen = []
    with enigma.for_range(0, 3) as i:
        seen.append(i)
        A[i] = seen[0]
""").k
    a = np.zeros(3, np.float32)
    enigma.compile(k)(a, grid=1)
    assert a.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "line, expected",
    [
        ("if_(A[0] > 0)", "the if_ at line 4 has no body: write `with enigma.if_(...):`"),
        (
            "for_range(0, 3)",
            "the for_range at line 4 has no body: write `with enigma.for_range(...):`",
        ),
        ("range(3)", "the range at line 4 has no body: write `for i in enigma.range(...):`"),
    ],
)
def test_region_without_a_body(line: str, expected: str) -> None:
    source = f"""
@enigma.kernel
def k(A: enigma.f32):
    enigma.{line}
    A[0] = 1.0
"""
    assert expected in refused(sourced(source).k, marked=False)


def test_for_range_in_a_for_statement() -> None:
    source = """
@enigma.kernel
def k(A: enigma.f32):
    for i in enigma.for_range(0, 3):
        A[i] = 1.0
"""
    assert (
        "for_range is the subject of a `with`: write `with enigma.for_range(...) as i:`, or "
        "`for i in enigma.range(...):`"
    ) in refused(sourced(source).k, marked=False)


@pytest.mark.usefixtures("device")
def test_nesting_has_an_end() -> None:
    def nested(A, depth):
        if depth == 0:
            A[0] = A[0] + 1.0
            return
        with enigma.for_range(0, 1):  # HERE
            nested(A, depth - 1)

    @enigma.kernel
    def deep(A: enigma.f32):
        nested(A, 199)

    @enigma.kernel
    def too_deep(A: enigma.f32):
        nested(A, 200)

    a = np.zeros(1, np.float32)
    enigma.compile(deep)(a, grid=1)
    assert a[0] == 1
    assert refused(too_deep) == (
        "control flow is nested more than 199 deep; move a part of it out of the loops and "
        "conditions around it"
    )
