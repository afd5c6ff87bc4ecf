# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A match's beginning and the decisions after a layer as Triton kernels. See `block_kernels` for the pointers.

The order of the decisions is that of `decisions.adapt`: the stop test first, over the points that came in; pruning only
in pairs that go on; a pair of which an image is emptied ends.
"""

import triton
import triton.language as tl

from lightmatch_ros.core.engine.cuda.fused.block_kernels import block_of, live

# A verdict's bits.
UNSURE = tl.constexpr(1)
WANTED = tl.constexpr(2)


@triton.jit
def begin(
    asked,  # (P, 2) int32, points that came in
    prunes,  # () float32
    kept,
    counts,
    running,
    stop_layer,  # (P,) int32
    layers,  # int32, an image's at image // 2 * layers_stride + image % 2 * C
    capacity,
    layers_stride,
    N_LAYERS: tl.constexpr,
    CHUNK: tl.constexpr,
):
    """Lists all points of an image; without pruning each counts as looked at to the end, as a pair runs to it."""
    image = tl.program_id(1)
    count = tl.load(asked + image)
    places = tl.program_id(0) * CHUNK + tl.arange(0, CHUNK)
    tl.store(kept + image * capacity + places, places, mask=places < count)
    looked = tl.where(tl.load(prunes) > 0, 1, N_LAYERS)
    target = layers + image // 2 * layers_stride + image % 2 * capacity + places
    tl.store(target, tl.zeros((CHUNK,), tl.int32) + looked, mask=places < count)
    if tl.program_id(0) == 0:
        tl.store(counts + image, count)
        if image % 2 == 0:
            has_points = (count > 0) & (tl.load(asked + image + 1) > 0)
            tl.store(running + image // 2, has_points.to(tl.int32))
            tl.store(stop_layer + image // 2, N_LAYERS)


@triton.jit
def judge(
    x,
    kept,
    counts,
    running,
    weight,  # (2, DIM) float32: confidence, matchability
    bias,  # (2,) float32
    unmatchable,  # () float32
    verdicts,  # (S, C) int32
    threshold,  # the layer's confidence
    capacity,
    DIM: tl.constexpr,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,  # a power of 2 that holds DIM
):
    """Whether each point is unsure, and whether it stays where its image is pruned."""
    start = tl.program_id(0) * ROWS
    image = tl.program_id(1)
    count = live(counts, running, image)
    if start >= count:
        return
    rows, exists, places = block_of(kept, count, image, start, capacity, ROWS)
    columns = tl.arange(0, WIDTH)
    inside = columns < DIM
    states = tl.load(x + places[:, None] * DIM + columns[None, :], mask=exists[:, None] & inside[None, :], other=0.0)
    of_confidence = tl.load(weight + columns, mask=inside, other=0.0)
    of_matchability = tl.load(weight + DIM + columns, mask=inside, other=0.0)
    confidence = tl.sigmoid(tl.sum(states * of_confidence[None, :], 1) + tl.load(bias))
    matchability = tl.sigmoid(tl.sum(states * of_matchability[None, :], 1) + tl.load(bias + 1))
    unsure = tl.where(confidence < threshold, UNSURE, 0)
    wanted = tl.where((matchability > tl.load(unmatchable)) | (confidence <= threshold), WANTED, 0)
    tl.store(verdicts + image * capacity + rows, unsure | wanted, mask=exists)


@triton.jit(do_not_specialize=["step"])
def decide(
    verdicts,
    asked,
    min_points,  # () int32
    stops,  # () float32, as all that follow: 0 or 1
    depth,  # depth_confidence
    prunes,  # 0 or 1
    kept,
    counts,
    running,
    stop_layer,
    layers,
    step,  # layers that have run
    capacity,
    layers_stride,
    CHUNK: tl.constexpr,
):
    """Ends a pair or prunes its images; one program for each pair."""
    pair = tl.program_id(0)
    if tl.load(running + pair) == 0:
        return
    unsure = 0
    for image in range(2 * pair, 2 * pair + 2):
        count = tl.load(counts + image)
        for start in range(0, count, CHUNK):
            rows = start + tl.arange(0, CHUNK)
            seen = tl.load(verdicts + image * capacity + rows, mask=rows < count, other=0)
            unsure += tl.sum(seen & UNSURE)
    total = tl.load(asked + 2 * pair) + tl.load(asked + 2 * pair + 1)
    confident = 1.0 - unsure.to(tl.float32) / total.to(tl.float32)
    ended = ((tl.load(stops) > 0) & (confident > tl.load(depth))).to(tl.int32)
    if (ended == 0) & (tl.load(prunes) > 0):
        for image in range(2 * pair, 2 * pair + 2):
            count = tl.load(counts + image)
            if count > tl.load(min_points):
                looked = layers + image // 2 * layers_stride + image % 2 * capacity
                left = _prune(verdicts + image * capacity, kept + image * capacity, looked, count, CHUNK)
                tl.store(counts + image, left)
                if left == 0:
                    ended = 1
    if ended > 0:
        tl.store(running + pair, 0)
        tl.store(stop_layer + pair, step)


@triton.jit
def _prune(verdicts, kept, layers, count, CHUNK: tl.constexpr):
    """Moves the places of points that stay to the front of their list, in order, and returns how many there are.

    In the list itself: no place moves back, so that what a chunk writes over has been read by it or by one before it.
    """
    left = count * 0
    for start in range(0, count, CHUNK):
        rows = start + tl.arange(0, CHUNK)
        exists = rows < count
        seen = tl.load(verdicts + rows, mask=exists, other=0)
        places = tl.load(kept + rows, mask=exists, other=0)
        stays = exists & ((seen & WANTED) != 0)
        ones = stays.to(tl.int32)
        target = left + tl.cumsum(ones, 0) - 1
        looked = tl.load(layers + places, mask=stays, other=0)
        tl.debug_barrier()  # a thread writes where another reads
        tl.store(kept + target, places, mask=stays)
        tl.store(layers + places, looked + 1, mask=stays)
        left += tl.sum(ones)
        tl.debug_barrier()
    return left
