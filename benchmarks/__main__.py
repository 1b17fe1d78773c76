"""Speed, measured: each row names what it is compared with, measured in the same run.

`make bench` runs everything; `python -m benchmarks kernels memory` some of it. The table and a
picture of the goals are written into benchmarks/out.
"""

import os
import sys
from pathlib import Path

# Before the libraries are loaded, which ask for these once: one thread each, as ours has.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS",
                  "POCL_MAX_PTHREAD_COUNT", "POCL_CPU_MAX_CU_COUNT", "HL_NUM_THREADS"):  # fmt: skip
    os.environ[_variable] = "1"

from benchmarks import (  # noqa: E402
    compiling,
    dispatching,
    growth,
    kernels,
    layouts,
    memory,
    threads,
)
from benchmarks.table import Table  # noqa: E402

GROUPS = {
    "compiling": compiling.run,
    "growth": growth.run,
    "dispatching": dispatching.run,
    "layouts": layouts.run,
    "kernels": kernels.run,
    "threads": threads.run,
    "memory": memory.run,
}


def main() -> None:
    chosen = sys.argv[1:] or list(GROUPS)
    unknown = set(chosen) - set(GROUPS)
    if unknown:
        sys.exit(f"there are {', '.join(GROUPS)}, but no {', '.join(sorted(unknown))}")
    table = Table()
    for name in chosen:
        GROUPS[name](table)
    folder = Path(__file__).parent / "out"
    table.write(folder, "Enigma against its goals")
    print(f"\nwritten to {folder}")


if __name__ == "__main__":
    main()
