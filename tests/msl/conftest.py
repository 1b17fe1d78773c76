"""What the lab's tests share: an open lab for each file, and every order of threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from msl import lab as msl


@pytest.fixture(scope="module")
def lab() -> Iterator[msl.Lab]:
    with msl.Lab() as opened:
        yield opened


@pytest.fixture(params=msl.SCHEDULES)
def schedule(request: pytest.FixtureRequest) -> str:
    return request.param
