"""Mistakes in atomics: refused while tracing, at the Python line, with what to write instead."""

from collections.abc import Callable

import pytest

import enigma

DEVICE_TYPES = ["b1", "i8", "i16", "i64", "u8", "u16", "u64", "f16", "bf16"]


def message_of(body: Callable, dtype: str = "i32") -> str:
    """What the user is told when the kernel's body is `body(A, i)`."""

    @enigma.kernel
    def kernel(A: dtype):
        body(A, enigma.thread_position_in_grid)

    with pytest.raises(enigma.EnigmaError) as caught:
        enigma.compile(kernel)
    assert caught.value.filename == __file__
    assert caught.value.lineno == body.__code__.co_firstlineno
    return caught.value.message


@pytest.mark.parametrize("dtype", DEVICE_TYPES)
def test_types_without_atomics(dtype: str) -> None:
    name = getattr(enigma, dtype).metal_name
    assert name
    assert message_of(lambda A, i: A.atomic_fetch_add(i, 1), dtype) == (
        f"atomic_fetch_add works on memory of int, uint or float, A (memref<{dtype}, device>) was "
        "given; Metal has no such atomics of other types"
    )
    assert message_of(lambda A, i: enigma.atomic_load(A, i), dtype).startswith("atomic_load works")
    assert message_of(
        lambda A, i: enigma.threadgroup_alloc(dtype, 4).atomic_exchange(0, 1)
    ).startswith("atomic_exchange works on memory of int, uint or float, ")


@pytest.mark.parametrize("name", ["and", "or", "xor"])
def test_floats_have_no_bitwise_atomics(name: str) -> None:
    assert message_of(lambda A, i: getattr(A, f"atomic_fetch_{name}")(i, 1), "f32") == (
        f"atomic_fetch_{name} works on memory of int or uint, A (memref<f32, device>) was given; "
        "Metal has no such atomics of other types"
    )


@pytest.mark.parametrize("order", ["strong", "", None, 1])
def test_unknown_orders(order: object) -> None:
    known = "it is one of relaxed, acquire, release, acq_rel and seq_cst"
    said = {"strong": "'strong'", "": "''", None: "None", 1: "1"}[order]
    assert said in message_of(lambda A, i: A.atomic_load(i, order))
    assert message_of(lambda A, i: A.atomic_store(i, 1, order=order)).endswith(known)
    assert message_of(lambda A, i: A.atomic_fetch_add(i, 1, order)).endswith(known)
    assert message_of(
        lambda A, i: A.atomic_compare_exchange_weak(i, 1, 2, success_order=order)
    ).endswith(known)
    assert message_of(
        lambda A, i: A.atomic_compare_exchange_weak(i, 1, 2, failure_order=order)
    ).endswith(known)
    if order is not None:  # which stands for none
        assert message_of(lambda A, i: A.atomic_load(i, memory_order=order)).endswith(known)


@pytest.mark.parametrize("order", ["release", "acq_rel"])
def test_a_load_releases_nothing(order: str) -> None:
    assert message_of(lambda A, i: A.atomic_load(i, order)) == (
        f"atomic_load cannot have the order {order}: it is one of relaxed, acquire and seq_cst"
    )
    assert "cannot have" in message_of(lambda A, i: A.atomic_load(i, memory_order=order))


@pytest.mark.parametrize("order", ["acquire", "acq_rel"])
def test_a_store_acquires_nothing(order: str) -> None:
    assert message_of(lambda A, i: A.atomic_store(i, 1, order)) == (
        f"atomic_store cannot have the order {order}: it is one of relaxed, release and seq_cst"
    )


@pytest.mark.parametrize("order", ["release", "acq_rel"])
def test_a_failed_exchange_releases_nothing(order: str) -> None:
    assert message_of(
        lambda A, i: A.atomic_compare_exchange_weak(i, 1, 2, "acq_rel", failure_order=order)
    ) == (
        f"atomic_compare_exchange_weak cannot have the failure_order '{order}': a failed exchange "
        "releases nothing; it is one of relaxed, acquire and seq_cst"
    )


@pytest.mark.parametrize(
    ("success", "failure"),
    [
        ("relaxed", "acquire"),
        ("release", "acquire"),
        ("acquire", "seq_cst"),
        ("acq_rel", "seq_cst"),
        ("relaxed", "seq_cst"),
    ],
)
def test_failure_orders_no_more_than_success(success: str, failure: str) -> None:
    want = (
        f"atomic_compare_exchange_weak cannot have the failure_order '{failure}', which is "
        "stronger than its success_order; make that as strong"
    )
    assert (
        message_of(lambda A, i: A.atomic_compare_exchange_weak(i, 1, 2, success, failure)) == want
    )
    assert message_of(
        lambda A, i: enigma.atomic_compare_exchange_weak(
            A, i, 1, 2, memory_order=success, failure_order=failure
        )
    ) == want  # fmt: skip


@pytest.mark.parametrize(
    ("success", "failure"),
    [
        ("acquire", "acquire"),
        ("acq_rel", "acquire"),
        ("release", "relaxed"),
        ("seq_cst", "acquire"),
        ("seq_cst", "seq_cst"),
    ],
)
def test_orders_of_exchanges_that_are_allowed(success: str, failure: str) -> None:
    @enigma.kernel
    def kernel(A: enigma.i32):
        A.atomic_compare_exchange_weak(0, 1, 2, success, failure)

    assert f"atomic.compare_exchange_weak {success} " in enigma.compile(kernel).ir


def test_one_order_is_given_once() -> None:
    assert message_of(
        lambda A, i: A.atomic_fetch_add(i, 1, order="acquire", memory_order="release")
    ) == (
        "atomic_fetch_add takes its order once, and memory_order= is another name of it; write one "
        "of them"
    )


def test_memory_order_is_another_name() -> None:
    @enigma.kernel
    def kernel(A: enigma.i32):
        A.atomic_fetch_add(0, 1, memory_order="acq_rel")
        enigma.atomic_load(A, 0, memory_order="acquire")
        enigma.atomic_compare_exchange_weak(A, 0, 1, 2, memory_order="seq_cst")

    ir = enigma.compile(kernel).ir
    for line in ("fetch_add acq_rel", "load acquire", "compare_exchange_weak seq_cst"):
        assert f"atomic.{line} " in ir


def test_operands() -> None:
    assert "expected a buffer" in message_of(lambda A, i: enigma.atomic_load(i, 0))
    assert "must be an int or a traced integer" in message_of(lambda A, i: A.atomic_load(1.5))
    assert "negative" in message_of(lambda A, i: A.atomic_fetch_add(-1, 1))
    assert "does not fit i32" in message_of(lambda A, i: A.atomic_fetch_add(0, 2**32))
    shared = message_of(lambda A, i: enigma.threadgroup_alloc("int", 4).atomic_fetch_add(4, 1))
    assert "index 4 is outside of" in shared


def test_a_scalar_parameter_is_no_memory() -> None:
    @enigma.kernel
    def kernel(A: enigma.i32, n: enigma.Scalar(enigma.i32)):
        enigma.atomic_fetch_add(n, 0, 1)

    with pytest.raises(enigma.EnigmaError, match=r"expected a buffer .*, but got <IRValue n: i32"):
        enigma.compile(kernel)
