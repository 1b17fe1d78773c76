"""Lists that grow from region to region: what a body does to them unseen is told, nothing else."""

import numpy as np
import pytest

import enigma

pytestmark = pytest.mark.usefixtures("device")


def test_a_list_that_collects_the_results_of_regions():
    @enigma.kernel
    def k(A: enigma.f32, B: enigma.f32):
        i = enigma.thread_position_in_grid
        found = []
        for k in range(5):
            x = A[i]
            with enigma.if_(x > float(k)):
                x = x + 10.0 * k
            found.append(x)
        found.reverse()
        for k in range(5):
            with enigma.for_range(0, 1):
                B[i * 5 + k] = found[k]

    a, b = np.float32([0.5, 2.5]), np.zeros(10, np.float32)
    enigma.compile(k)(a, b, grid=2, threads=2)
    want = [[x + 10 * k if x > k else x for k in reversed(range(5))] for x in a]
    assert b.tolist() == np.ravel(want).tolist()


def test_what_was_appended_may_go_again():
    @enigma.kernel
    def k(A: enigma.f32):
        seen = [A[0], A[1]]
        with enigma.for_range(0, 3) as i:
            seen.append(A[i])
            with enigma.if_(seen[-1] > 0.0):
                A[i] = seen[2] + 1.0
            seen.pop()
        with enigma.if_(seen[0] > 0.0):
            A[3] = seen[1]

    a = np.float32([1, 2, -3, 0])
    enigma.compile(k)(a, grid=1)
    assert a.tolist() == [2, 3, -3, 2]


def test_a_change_before_a_region_inside_is_told():
    @enigma.kernel
    def k(A: enigma.f32):
        state = [A[0]]
        with enigma.for_range(0, 3) as i:
            state.insert(0, state.pop() + 1.0)
            with enigma.if_(state[0] > 0.0):
                A[i] = 1.0

    with pytest.raises(enigma.EnigmaError, match="'state' is changed in the for_range"):
        enigma.compile(k)


def test_values_of_a_region_that_has_ended_are_nobodys_concern():
    @enigma.kernel
    def k(A: enigma.f32):
        seen = []
        with enigma.for_range(0, 2) as i:
            seen.append(A[i])
            with enigma.if_(seen[0] > 0.0):
                A[i] = 1.0
        with enigma.for_range(2, 4) as i:
            seen.clear()
            A[i] = 2.0

    a = np.float32([-1, 3, 0, 0])
    enigma.compile(k)(a, grid=1)
    assert a.tolist() == [-1, 1, 2, 2]
