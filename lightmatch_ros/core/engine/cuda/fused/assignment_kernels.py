# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Matches from the soft assignment as Triton kernels, without its matrix. See `block_kernels` for the pointers.

Source: LightGlue (ICCV 2023), eq. 5-8. The best of a row does not depend on the row's own log-sum-exp, nor the best of
a column on the column's; so both images take the same two passes over the other's points: one for the sums, one for the
best.
"""

import triton
import triton.language as tl

from lightmatch_ros.core.engine.cuda.fused.block_kernels import block_of


@triton.jit
def describe(
    x,
    kept,
    counts,
    stop_layer,
    weight,  # (heads, DIM + 1, DIM) float32, of the last layers; the last row gives the logit of matchability
    bias,  # (heads, DIM + 1) float32
    projected,  # (S, C, DIM) float32, whose products are similarities
    logits,  # (S, C) float32
    capacity,
    FIRST: tl.constexpr,  # the first layer that has a head
    DIM: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Projects points by the head of the layer where their pair stopped."""
    start = tl.program_id(0) * ROWS
    image = tl.program_id(2)
    count = tl.load(counts + image)
    if start >= count:
        return
    head = tl.load(stop_layer + image // 2) - 1 - FIRST
    weight += head * (DIM + 1) * DIM
    bias += head * (DIM + 1)
    rows, exists, places = block_of(kept, count, image, start, capacity, ROWS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    narrow = columns < DIM
    tile = tl.zeros((ROWS, COLUMNS), tl.float32)
    logit = tl.zeros((ROWS,), tl.float32)
    for k in range(0, DIM, DEPTH):
        depth = k + tl.arange(0, DEPTH)
        inside = depth < DIM
        states = x + places[:, None] * DIM + depth[None, :]
        states = tl.load(states, mask=exists[:, None] & inside[None, :], other=0.0)
        weights = weight + columns[None, :] * DIM + depth[:, None]
        weights = tl.load(weights, mask=inside[:, None] & narrow[None, :], other=0.0)
        tile = tl.dot(states, weights, tile, input_precision=PRECISION)
        of_logit = tl.load(weight + DIM * DIM + depth, mask=inside, other=0.0)
        logit += tl.sum(states * of_logit[None, :], 1)
    tile += tl.load(bias + columns, mask=narrow, other=0.0)[None, :]
    target = projected + (image * capacity + rows[:, None]) * DIM + columns[None, :]
    tl.store(target, tile, mask=exists[:, None] & narrow[None, :])
    if tl.program_id(1) == 0:
        tl.store(logits + image * capacity + rows, logit + tl.load(bias + DIM), mask=exists)


@triton.jit
def _similarities(
    projected,
    rows,  # (ROWS,), of the image
    exists,
    image,
    first,  # column, a point of the other image
    other_count,
    capacity,
    DIM: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Returns the columns of a tile and its products (ROWS, COLUMNS) float32, minus infinity beyond the count."""
    columns = first + tl.arange(0, COLUMNS)
    there = columns < other_count
    left_rows = projected + (image * capacity + rows[:, None]) * DIM
    right_rows = projected + ((image ^ 1) * capacity + columns[None, :]) * DIM
    tile = tl.zeros((ROWS, COLUMNS), tl.float32)
    for k in range(0, DIM, DEPTH):
        depth = k + tl.arange(0, DEPTH)
        inside = depth < DIM
        left = tl.load(left_rows + depth[None, :], mask=exists[:, None] & inside[None, :], other=0.0)
        right = tl.load(right_rows + depth[:, None], mask=there[None, :] & inside[:, None], other=0.0)
        tile = tl.dot(left, right, tile, input_precision=PRECISION)
    return columns, tl.where(there[None, :], tile, -float("inf"))


@triton.jit
def normalise(
    projected,
    logits,
    counts,
    biases,  # (S, C) float32: log matchability less the log-sum-exp over the other image's points
    capacity,
    DIM: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """The part of the log assignment that belongs to each point alone."""
    start = tl.program_id(0) * ROWS
    image = tl.program_id(1)
    count = tl.load(counts + image)
    if start >= count:
        return
    other_count = tl.load(counts + (image ^ 1))
    rows = start + tl.arange(0, ROWS)
    exists = rows < count
    highest = tl.full((ROWS,), -1e30, tl.float32)  # finite, as the sum's least, for an image without points
    total = tl.zeros((ROWS,), tl.float32)
    for first in range(0, other_count, COLUMNS):
        _columns, tile = _similarities(
            projected, rows, exists, image, first, other_count, capacity, DIM, ROWS, COLUMNS, DEPTH, PRECISION
        )
        new_highest = tl.maximum(highest, tl.max(tile, 1))
        total = total * tl.exp(highest - new_highest) + tl.sum(tl.exp(tile - new_highest[:, None]), 1)
        highest = new_highest
    logit = tl.load(logits + image * capacity + rows, mask=exists, other=0.0)
    log_matchability = tl.minimum(logit, 0.0) - tl.log(1.0 + tl.exp(-tl.abs(logit)))
    tl.store(
        biases + image * capacity + rows, log_matchability - highest - tl.log(tl.maximum(total, 1e-30)), mask=exists
    )


@triton.jit
def best(
    projected,
    biases,
    counts,
    values,  # (S, C) float32: log assignment of the best
    partners,  # (S, C) int32: its row in the other image
    capacity,
    DIM: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Each point's best partner, the first of equals."""
    start = tl.program_id(0) * ROWS
    image = tl.program_id(1)
    count = tl.load(counts + image)
    if start >= count:
        return
    other_count = tl.load(counts + (image ^ 1))
    rows = start + tl.arange(0, ROWS)
    exists = rows < count
    value = tl.full((ROWS,), -float("inf"), tl.float32)
    partner = tl.zeros((ROWS,), tl.int32)
    for first in range(0, other_count, COLUMNS):
        columns, tile = _similarities(
            projected, rows, exists, image, first, other_count, capacity, DIM, ROWS, COLUMNS, DEPTH, PRECISION
        )
        bias = tl.load(biases + (image ^ 1) * capacity + columns, mask=columns < other_count, other=0.0)
        highest, column = tl.max(2.0 * tile + bias[None, :], 1, return_indices=True)
        partner = tl.where(highest > value, first + column, partner)
        value = tl.maximum(highest, value)
    own = tl.load(biases + image * capacity + rows, mask=exists, other=0.0)
    tl.store(values + image * capacity + rows, value + own, mask=exists)
    tl.store(partners + image * capacity + rows, partner, mask=exists)


@triton.jit
def answer(
    values,
    partners,
    kept,
    counts,
    stop_layer,
    filter_threshold,  # () float32
    header,  # int32: stop layer and both counts of a pair, at pair * stride
    index0,  # int32, (C,) of a pair at pair * stride, as the next two
    index1,
    scores,
    stride,
    capacity,
    ROWS: tl.constexpr,
):
    """Writes mutual matches above the threshold: of each row of image 0, its partner in image 1 or -1."""
    start = tl.program_id(0) * ROWS
    pair = tl.program_id(1)
    count0 = tl.load(counts + 2 * pair)
    count1 = tl.load(counts + 2 * pair + 1)
    if start == 0:
        tl.store(header + pair * stride, tl.load(stop_layer + pair))
        tl.store(header + pair * stride + 1, count0)
        tl.store(header + pair * stride + 2, count1)
    if start >= count0:
        return
    of_image0 = 2 * pair * capacity
    of_image1 = of_image0 + capacity
    rows = start + tl.arange(0, ROWS)
    exists = rows < count0
    partner = tl.load(partners + of_image0 + rows, mask=exists, other=0)
    score = tl.exp(tl.load(values + of_image0 + rows, mask=exists, other=0.0))
    back = tl.load(partners + of_image1 + partner, mask=exists & (count1 > 0), other=-1)
    found = (back == rows) & (score > tl.load(filter_threshold))
    tl.store(index0 + pair * stride + rows, tl.load(kept + of_image0 + rows, mask=exists, other=0), mask=exists)
    place = tl.load(kept + of_image1 + partner, mask=exists & found, other=-1)
    tl.store(index1 + pair * stride + rows, place, mask=exists)
    tl.store(scores + pair * stride + rows, score, mask=exists)
