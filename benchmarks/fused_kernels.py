# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the compiler makes of the fused kernels, for devices that need not be there.

    python benchmarks/fused_kernels.py --capability 80 89 90 --json benchmarks/results/fused-kernels.json

For the official architecture, in both precisions and for all tiles that may be chosen: each kernel's registers and
spilled bytes for a thread, shared memory for a program, and whether its products run on tensor cores (mma, or Hopper's
wgmma).
Says nothing about speed. Needs Triton, no CUDA device.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

os.environ["TRITON_INTERPRET"] = "0"

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from lightmatch_ros.core.engine.cuda.fused.program import FusedLayers, FusedProgram
from lightmatch_ros.core.engine.cuda.fused.tiles import Tiles, candidates
from lightmatch_ros.core.engine.folded import fold
from lightmatch_ros.core.lightglue import Architecture, LightGlue

CAPACITY = 1024  # says nothing: kernels are compiled for any
DTYPES = (torch.bfloat16, torch.float32)
CUOBJDUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"


@dataclass(frozen=True)
class Compiled:
    """A kernel as compiled.

    Attributes:
        tiles: see `Tiles`: rows, columns, depth, keys, warps.
        registers: of a thread.
        spilled: bytes of a thread that did not fit into registers.
        shared: bytes of a program.
        products: "wgmma", "mma" or none.
    """

    capability: int
    dtype: str
    tiles: str
    name: str
    registers: int
    spilled: int
    shared: int
    products: str


class Absent:
    """Stands in for the driver of a device that is not there: enough to compile for it."""

    def __init__(self, capability: int) -> None:
        self._capability = capability

    def get_current_target(self) -> GPUTarget:
        """What to compile for."""
        return GPUTarget("cuda", self._capability, 32)

    def get_current_device(self) -> int:
        """A number under which Triton keeps what it compiled."""
        return self._capability

    def get_current_stream(self, _: int) -> int:
        """None: nothing is launched."""
        return 0


def compile_all(capability: int) -> list[Compiled]:
    """Compiles every kernel that a match launches."""
    driver.set_active(Absent(capability))
    network = LightGlue(Architecture(n_layers=2)).requires_grad_(False)
    compiled: dict[tuple[Any, ...], Compiled] = {}
    launch = JITFunction.__getitem__
    try:
        for dtype in DTYPES:
            layers = FusedLayers(fold(network), network.architecture, dtype)
            for tiles in candidates(dtype):

                def record(kernel: JITFunction, grid: Any, dtype=dtype, tiles=tiles) -> Any:
                    def compile_only(*args: Any, **options: Any) -> None:
                        binary = kernel.warmup(*args, grid=grid, **options)
                        key = kernel.__name__, binary.hash
                        if key not in compiled:
                            compiled[key] = describe(kernel.__name__, binary, capability, dtype, tiles)

                    return compile_only

                JITFunction.__getitem__ = record
                FusedProgram(layers, 1, CAPACITY, torch.device("cpu"), tiles).run(adaptive=True)
    finally:
        JITFunction.__getitem__ = launch
    return list(compiled.values())


def describe(name: str, binary: Any, capability: int, dtype: torch.dtype, tiles: Tiles) -> Compiled:
    """Reads a compiled kernel's resources."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(binary.asm["cubin"])
        file.flush()
        usage = subprocess.run(
            [CUOBJDUMP, "-res-usage", file.name], check=True, capture_output=True, text=True
        ).stdout.split()
    fields = dict(field.split(":", 1) for field in usage if ":" in field)
    ptx = binary.asm["ptx"]
    products = "wgmma" if "wgmma" in ptx else "mma" if "mma.sync" in ptx else "none"
    resources = int(fields["REG"]), int(fields["STACK"]) + int(fields["LOCAL"]), binary.metadata.shared
    return Compiled(
        capability, str(dtype).removeprefix("torch."), "x".join(map(str, astuple(tiles))), name, *resources, products
    )


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--capability", type=int, nargs="+", default=[80, 89, 90], help="compute capabilities, 90: 9.0")
    parser.add_argument("--json", type=Path, help="also write the table here")
    args = parser.parse_args()
    rows = [asdict(kernel) for capability in args.capability for kernel in compile_all(capability)]
    print("  ".join(f"{name:>14s}" for name in rows[0]))
    for row in rows:
        print("  ".join(f"{value!s:>14s}" for value in row.values()))
    if args.json:
        about = {"triton": triton.__version__, "python": sys.version.split()[0]}
        args.json.write_text(json.dumps({"about": about, "kernels": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
