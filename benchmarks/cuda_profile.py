# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What a match does on a CUDA device, scheme by scheme: kernels, graph launches, waits, and where the time goes.

    python benchmarks/cuda_profile.py --keypoints 512 1024 2048 4096 --json benchmarks/results/cuda-profile.json

Official architecture, random weights, bfloat16, both images prepared beforehand; at full depth and with the default
adaptivity. Random weights stop nowhere and prune little: the difference is what deciding costs. The median time of a
match is measured without the profiler. A match may wait once: for its answer.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from lightmatch_ros.core.engine import Precision
from lightmatch_ros.core.engine.cuda import Buckets, CudaEngine, Scheme
from lightmatch_ros.core.engine.cuda.schemes import schemes
from lightmatch_ros.core.lightglue import Adaptivity, Architecture
from lightmatch_ros.core.lightglue.adaptive import FULL
from lightmatch_ros.evaluation.bench.environment import describe
from lightmatch_ros.evaluation.bench.measure import Lane, Statistics, alternate
from lightmatch_ros.evaluation.bench.workload import FILTER_THRESHOLD, random_network, random_pair

MATCHES = 20
TOP = 12
WAITS = ("cudaEventSynchronize", "cudaStreamSynchronize", "cudaDeviceSynchronize")
LAUNCHES = ("cudaGraphLaunch", "cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx")
ADAPTIVITIES = {"full": FULL, "adaptive": Adaptivity()}


def measure(engine: CudaEngine, count: int, adaptivity: Adaptivity, device: torch.device) -> dict[str, Any]:
    """Returns the figures of one match of this many points."""
    pair = random_pair(Architecture(), (count, count), device)
    image0, image1 = engine.prepare(pair)

    def match() -> Any:
        return engine.match([(image0, image1)], adaptivity, FILTER_THRESHOLD)

    lane = Lane.of(match)
    alternate([lane], MATCHES, device)
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
    with profile(activities=activities) as profiled:
        for _ in range(MATCHES):
            match()
    calls: Counter[str] = Counter()
    kernels: Counter[str] = Counter()
    for event in profiled.events():
        if event.device_type == DeviceType.CPU:
            calls[event.name] += 1
        else:
            kernels[event.name] += event.device_time
            calls["kernels"] += 1
    return {
        "median_ms": Statistics.of(lane.times_s).median_ms,
        "stop_layer": match()[0].stop_layer,
        "kernels": calls["kernels"] / MATCHES,
        "launches": sum(calls[name] for name in LAUNCHES) / MATCHES,
        "waits": sum(calls[name] for name in WAITS) / MATCHES,
        "busy_ms": 1e-3 * sum(kernels.values()) / MATCHES,
        "top_us": {name[:100]: time / MATCHES for name, time in kernels.most_common(TOP)},
    }


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keypoints", type=int, nargs="+", default=[512, 1024, 2048, 4096])
    parser.add_argument("--schemes", nargs="+", choices=list(Scheme), help="default: all that can run")
    parser.add_argument("--device", default="cuda", help="cpu only shows that this program works")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    device = torch.device(args.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no CUDA device on this machine")
    network = random_network().to(device)
    records = []
    for scheme in args.schemes or schemes(device):
        engine = CudaEngine(network, Precision.BF16, Buckets(), (1,), Scheme(scheme))
        engine.warm_up(args.keypoints)
        for count in args.keypoints:
            for name, adaptivity in ADAPTIVITIES.items():
                figures = measure(engine, count, adaptivity, device)
                records.append({"scheme": str(scheme), "keypoints": count, "adaptivity": name, **figures})
                shown = {key: value for key, value in records[-1].items() if key != "top_us"}
                print("  ".join(f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in shown.items()))
    if args.json:
        args.json.write_text(json.dumps({"environment": describe(device), "matches": records}, indent=1) + "\n")


if __name__ == "__main__":
    main()
