"""Random kernels: the same bits on the CPU device and as executed MSL, and no races."""

from __future__ import annotations

import numpy as np
import pytest

from msl import lab as msl
from msl.random_kernels import disagreement


@pytest.mark.filterwarnings("ignore:this comparison")
@pytest.mark.parametrize("seed", range(30))
def test_random_kernels(lab: msl.Lab, seed: int) -> None:
    with np.errstate(all="ignore"):
        assert disagreement(lab, seed, msl.SCHEDULES[seed % 3], checked=seed % 3 == 2) is None
