"""Names that are rebound in traced regions: carried, merged, read afterwards as in Python."""

import numpy as np
import pytest

import enigma
import enigma as e
from enigma import for_range as repeat
from enigma import if_ as when

pytestmark = pytest.mark.usefixtures("device")

N = 12
DATA = np.arange(1, N + 1, dtype=np.float32)


def run(kernel, *arrays, out=np.float32, size=4):
    """Runs a kernel (..., Out) in one thread; gives Out."""
    result = np.zeros(size, out)
    enigma.compile(kernel)(*arrays, result, grid=1, threads=32)
    return result.tolist()


def test_accumulator() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        acc = enigma.f32(0.0)
        with enigma.for_range(0, N) as i:
            acc = acc + A[i]
        Out[0] = acc

    assert run(k, DATA)[0] == DATA.sum()


def test_init_as_on_the_page() -> None:
    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar(enigma.i32), Out: enigma.f32):
        with enigma.for_range(0, n, init=[enigma.f32(0.0)]) as (i, acc):
            acc = acc + A[i]
        Out[0] = acc

    assert run(k, DATA, N)[0] == DATA.sum()
    assert run(k, DATA, 0)[0] == 0


def test_init_of_several_values() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        with enigma.for_range(0, 5, init=[0.0, 1.0]) as (i, a, b):
            a, b = b, a + b
        Out[0] = a
        with enigma.for_range(0, 5, init=[0.0, 1.0]) as (i, (a, b)):
            a, b = b, a + b
        Out[1] = a
        with enigma.for_range(0, 5, init=[0.0, 1.0]) as (i, c):
            assert len(c) == 2
            c[0], c[1] = c[1], c[0] + c[1]
        first, second = c
        Out[2] = first
        Out[3] = second

    assert run(k, DATA) == [5, 5, 5, 8]


def test_python_numbers_take_the_type_that_they_need() -> None:
    @enigma.kernel
    def k(A: enigma.f32, U: enigma.u32, L: enigma.i64, Out: enigma.f32):
        total = 0
        unsigned = 0
        wide = 0
        count = 0
        with enigma.for_range(0, 2) as i:
            with enigma.for_range(0, 2) as j:
                total = total + A[j] * 0.25
                unsigned = unsigned + U[j] / 4
                wide = wide + L[j]
                count += 1
        Out[0] = total
        Out[1] = unsigned
        Out[2] = wide / 2**30
        Out[3] = count

    u = np.array([2**31, 2**31 + 4], np.uint32)
    wide = np.array([2**40, 2**41], np.int64)
    assert run(k, DATA, u, wide) == [1.5, 2.0**31, 2.0**11 + 2.0**12, 4]


def test_swap_and_previous_value() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        a, b = 1.0, 2.0
        previous = 0.0
        largest_step = 0.0
        with enigma.for_range(0, 3) as i:
            a, b = b, a
            step = A[i] - previous
            previous = A[i]
            largest_step = enigma.fmax(largest_step, step)
        Out[0], Out[1], Out[2], Out[3] = a, b, previous, largest_step

    assert run(k, np.float32([1, 5, 7])) == [2, 1, 7, 4]


def test_zero_turns_leave_everything_as_it_was() -> None:
    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar("int"), Out: enigma.f32):
        x = A[0]
        y = 7
        with enigma.for_range(n, 0) as i:
            x = A[-i]
            y = i
        with enigma.while_(lambda: x > 1e9):
            x = x + 1
        Out[0], Out[1] = x, y

    assert run(k, DATA, 5)[:2] == [1, 7]
    assert run(k, DATA, -2)[:2] == [2, -1]


def test_negative_steps_and_traced_bounds() -> None:
    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar("int"), by: enigma.Scalar("int"), Out: enigma.f32):
        down = 0.0
        with enigma.for_range(n - 1, -1, -2) as i:
            down = down * 10 + A[i]
        Out[0] = down
        traced = 0.0
        with enigma.for_range(n, 0, by) as i:
            traced = traced * 10 + i
        Out[1] = traced

    assert run(k, DATA, 6, -3)[:2] == [642, 63]
    assert run(k, DATA, 6, 3)[1] == 0


def test_if_merges_with_the_value_before() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        x = A[i]
        y = 0
        with enigma.if_(x > 2):
            y = x * 2
            with when(x > 3):
                y = y + 100
        Out[i] = y

    out = np.zeros(4, np.float32)
    enigma.compile(k)(DATA, out, grid=4, threads=32)
    assert out.tolist() == [0, 0, 6, 108]


def test_both_arms() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        x = A[i]
        y = 0
        with enigma.if_(x > 2) as (then, otherwise):
            with then:
                y = 1
                new = x
            with otherwise:
                y = -1.5
                new = 10
        Out[i] = y + new

    out = np.zeros(4, np.float32)
    enigma.compile(k)(DATA, out, grid=4, threads=32)
    assert out.tolist() == [8.5, 8.5, 4, 5]


def test_otherwise_sees_the_values_before() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        x = A[i]
        values = [x, x * 2]
        with enigma.if_(x > 2) as (then, otherwise):
            with then:
                x = x + 100
                values[0] = x
            with otherwise:
                x = x - 1
                values[1] = x
        Out[i] = x * 1000 + values[0] + values[1]

    out = np.zeros(4, np.float32)
    enigma.compile(k)(DATA, out, grid=4, threads=32)
    assert out.tolist() == [0 + 1 + 0, 1000 + 2 + 1, 103000 + 103 + 6, 104000 + 104 + 8]


def test_only_otherwise() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        i = enigma.thread_position_in_grid
        y = A[i]
        with enigma.if_(y > 2) as (_, otherwise):
            with otherwise:
                y = 0.0
        Out[i] = y

    out = np.zeros(4, np.float32)
    enigma.compile(k)(DATA, out, grid=4, threads=32)
    assert out.tolist() == [0, 0, 3, 4]


def test_temporaries_with_one_name_in_several_regions() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        acc = 0.0
        for phase in range(3):
            with enigma.for_range(0, 2) as i:
                t = A[i] * phase
                parts = [t, t + 1]
                with enigma.if_(t > 0):
                    t = t + 1
                acc = acc + t + parts[1]
        with enigma.if_(acc > 0) as (then, otherwise):
            with then:
                with enigma.for_range(0, 2) as i:
                    t = A[i]
                    acc = acc + t
            with otherwise:
                with enigma.for_range(0, 2) as i:
                    t = A[i]
                    acc = acc - t
        Out[0] = acc

    expected = 0
    for phase in range(3):
        for i in range(2):
            t = DATA[i] * phase
            one = t + 1
            expected += (t + 1 if t > 0 else t) + one
    assert run(k, DATA)[0] == expected + DATA[:2].sum()


def test_nesting_to_some_depth() -> None:
    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar("int"), Out: enigma.i32):
        even = 0
        odd = 0
        last = -1
        with enigma.for_range(0, n) as i:
            with enigma.for_range(0, i) as j:
                with enigma.if_((i + j) % 2 == 0) as (then, otherwise):
                    with then:
                        even = even + 1
                        k = j
                        with enigma.while_(lambda: k > 0):
                            k = k - 2
                            even = even + 10
                    with otherwise:
                        odd += i * j
                last = j
        Out[0], Out[1], Out[2] = even, odd, last

    n, even, odd, last = 7, 0, 0, -1
    for i in range(n):
        for j in range(i):
            if (i + j) % 2 == 0:
                even += 1
                t = j
                while t > 0:
                    t -= 2
                    even += 10
            else:
                odd += i * j
            last = j
    assert run(k, DATA, n, out=np.int32)[:3] == [even, odd, last]


def test_while_condition_sees_the_current_bindings() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.i32):
        n = 27
        steps = 0
        limit = 200

        def going():
            return (n != 1) & (steps < limit)

        with enigma.while_(going):
            n = enigma.where(3 * n + 1, n // 2, n % 2 == 0)
            steps = steps + 1
        Out[0], Out[1] = n, steps

    assert run(k, DATA, out=np.int32)[:2] == [1, 111]


def test_while_as_on_the_page() -> None:
    @enigma.kernel
    def k(n: enigma.Scalar("int"), Out: enigma.i32):
        i = 0
        with enigma.while_(lambda: enigma.cmp_lt(i, n)):
            i = i + 1
        Out[0] = i

    assert run(k, 9, out=np.int32)[0] == 9
    assert run(k, -9, out=np.int32)[0] == 0


def test_for_statement_over_enigma_range() -> None:
    @enigma.kernel
    def k(A: enigma.f32, n: enigma.Scalar("int"), Out: enigma.f32):
        acc = 0.0
        for i in enigma.range(n):
            acc += A[i]
        else:
            acc += 1000
        Out[0] = acc
        acc = 0.0
        for i in enigma.range(n, 0, -2):
            for j in enigma.range_constexpr(4):
                if j == 1:
                    continue
                if j == 3:
                    break
                acc = acc * 2 + i + j
        Out[1] = acc
        acc = 0
        for i in enigma.range(1, 4, dtype="uint"):
            acc += i
        Out[2] = acc

    expected = 0.0
    for i in range(4, 0, -2):
        for j in (0, 2):
            expected = expected * 2 + i + j
    assert run(k, DATA, 4)[:3] == [1010, expected, 6]


def test_unrolled_python_loops_around_and_inside() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        acc = 0.0
        for j in enigma.range_constexpr(3):
            with enigma.for_range(0, 2) as i:
                for scale in (1, 10):
                    acc = acc + A[i] * scale * j
        Out[0] = acc

    assert run(k, DATA)[0] == (1 + 2) * 11 * (0 + 1 + 2)


def test_aliases_of_the_module_and_its_names() -> None:
    @e.kernel
    def k(A: e.f32, Out: e.f32):
        acc = 0.0
        loop = e.for_range
        with repeat(0, 2) as i:
            acc = acc + A[i]
        with loop(0, 2) as i:
            acc = acc + A[i]
        region = e.for_range(0, 2)
        with region as i:
            acc = acc + A[i]
        Out[0] = acc

    assert run(k, DATA)[0] == 9


def test_several_items_in_one_with() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        acc = 0.0
        with enigma.for_range(0, 3) as i, enigma.for_range(0, 2) as j, enigma.if_(i != j):
            acc = acc + A[i] * 10 + j
        Out[0] = acc

    assert run(k, DATA)[0] == sum(DATA[i] * 10 + j for i in range(3) for j in range(2) if i != j)


def test_tuples_and_lists_of_values() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        pair = (0.0, 1.0)
        sums = [0.0] * 3
        named = {"a": 0, "b": A[0]}
        alias = sums
        with enigma.for_range(0, 4) as i:
            pair = (pair[1], pair[0] + A[i])
            for j in range(3):
                sums[j] = sums[j] + A[i] * j
            named["a"] += i
        Out[0] = pair[0] + pair[1]
        Out[1] = alias[0] + alias[1] + sums[2]
        Out[2] = named["a"] + named["b"]
        vector = [A[0], A[1]]
        with enigma.for_range(0, 2) as i:
            vector = [v + i for v in vector]
        Out[3] = vector[0] * 10 + vector[1]

    a, b = 0.0, 1.0
    for i in range(4):
        a, b = b, a + DATA[i]
    assert run(k, DATA) == [a + b, DATA[:4].sum() * 3, 6 + 1, 20 + 3]


def test_closures_and_nonlocal() -> None:
    scale = 3.0

    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        acc = 0.0
        turns = 0

        def add(value):
            nonlocal acc
            acc = acc + value * scale

        with enigma.for_range(0, 3) as i:
            add(A[i])
            turns = (lambda t: t + 1)(turns)
        Out[0], Out[1] = acc, turns

        def inner(n):
            total = 0
            with enigma.for_range(0, n) as i:
                total = total + A[i]
            return total

        Out[2] = inner(4)

    assert run(k, DATA)[:3] == [18, 3, 10]
    scale = 5.0
    assert run(k, DATA)[0] == 30


level = 0


def test_global_names() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        global level
        level = 1.0
        with enigma.for_range(0, 3) as i:
            level = level * 2 + i
        Out[0] = level

    assert run(k, DATA)[0] == ((1 * 2 + 0) * 2 + 1) * 2 + 2


def test_other_ways_to_bind() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        x = y = 0.0
        z: float = 0.0
        first, *rest = (A[0], A[1], A[2])
        with enigma.for_range(0, 2) as i:
            x = y = x + 1
            z: float = z + 2
            (w := x + z)
            [q := v + w for v in rest]
            Out[3] = q
        Out[0], Out[1], Out[2] = x, y, z

    assert run(k, DATA) == [2, 2, 4, 3 + 6]


def test_other_context_managers_stay_as_they_are() -> None:
    events = []

    class Note:
        def __init__(self, name: str) -> None:
            self.name = name

        def __enter__(self) -> str:
            events.append("enter " + self.name)
            return self.name

        def __exit__(self, kind, value, traceback) -> bool:
            events.append(f"exit {self.name} {kind.__name__ if kind else None}")
            return kind is KeyError

    def early(n):
        with Note("return"):
            return n

    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        acc = 0.0
        with Note("a") as name, Note("b"):
            assert name == "a"
            with enigma.for_range(0, 2) as i:
                with Note("inside"):
                    acc = acc + A[i]
        for n in range(3):
            with Note(f"loop {n}"):
                if n == 1:
                    continue
                if n == 2:
                    break
        with Note("swallow"):
            raise KeyError
        try:
            with Note("pass on"):
                raise ValueError
        except ValueError:
            events.append("caught")
        finally:
            acc = acc + early(1)
        Out[0] = acc

    assert run(k, DATA)[0] == 4
    assert events == [
        "enter a", "enter b", "enter inside", "exit inside None", "exit b None", "exit a None",
        "enter loop 0", "exit loop 0 None", "enter loop 1", "exit loop 1 None",
        "enter loop 2", "exit loop 2 None", "enter swallow", "exit swallow KeyError",
        "enter pass on", "exit pass on ValueError", "caught", "enter return", "exit return None",
    ]  # fmt: skip


def test_python_values_bound_in_a_region_survive() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        width = 4
        with enigma.for_range(0, 2) as i:
            label, factor = "x", 3
            width = 4
            Out[i] = A[i] * width
        assert label == "x"
        assert width == 4 and type(width) is int
        for j in enigma.range_constexpr(factor - 1):
            Out[2 + j] = j

    assert run(k, DATA) == [4, 8, 0, 1]


def test_unchanged_values_stay_what_they_were() -> None:
    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        x = A[0]
        y = A[1]
        before = x
        with enigma.for_range(0, 2):
            x, y = y, x
            x, y = y, x
        assert x is before
        Out[0] = x - y

    assert run(k, DATA)[0] == -1


def helper_sum(A, n):
    total = 0
    with enigma.for_range(0, n) as i:
        total = total + A[i]
    return total


class Reducer:
    def __init__(self, start: float) -> None:
        self.start = start

    def total(self, A, n):
        acc = self.start
        for i in enigma.range(n):
            acc = acc + helper_sum(A, i)
        return acc


def test_helper_functions_are_carried_too() -> None:
    reducer = Reducer(100.0)

    @enigma.kernel
    def k(A: enigma.f32, Out: enigma.f32):
        Out[0] = helper_sum(A, 4)
        Out[1] = reducer.total(A, 4)

    assert run(k, DATA)[:2] == [10, 100 + 0 + 1 + 3 + 6]


@pytest.mark.parametrize("n", [0, 1, 5])
def test_reduction_with_index(n: int) -> None:
    @enigma.kernel
    def argmax(A: enigma.f32, n: enigma.Scalar(enigma.u32), Out: enigma.f32):
        best = -np.inf
        where = -1
        with enigma.for_range(0, n) as i:
            value = A[i]
            with enigma.if_(value > best):
                best = value
                where = i
        Out[0], Out[1] = best, where

    data = np.float32([3, 9, 2, 9, 1])
    expected = [data[:n].max(initial=-np.inf), int(data[:n].argmax()) if n else -1]
    assert run(argmax, data, n)[:2] == expected
