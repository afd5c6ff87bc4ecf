# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""An attention block as four Triton kernels: project, attend, widen, narrow.

Pointers: ``x`` (S, C, DIM) float32 are the states of S images, each at the place that its point came in with; ``kept``
(S, C) int32 lists the places of the points that are left, ``counts`` (S,) int32 says how many, and ``running`` (P,)
int32 which pairs have not ended (image s belongs to pair s / 2). Row r of what is in between is point kept[r], so that
a point is pruned by taking it off the list and no state ever moves. A program beyond the count, or of a pair that has
ended, returns at once: this is how a launch costs next to nothing that was not wanted.

Weights are (out, in), folded (see `engine.folded`); products take their type and add up in float32.
"""

import triton
import triton.language as tl

LOG2_E = tl.constexpr(1.4426950408889634)
SQRT_HALF = tl.constexpr(0.7071067811865476)


@triton.jit
def live(counts, running, image):
    """Returns the points of an image, 0 where its pair has ended."""
    return tl.load(counts + image) * tl.load(running + image // 2)


@triton.jit
def block_of(kept, count, image, start, capacity, ROWS: tl.constexpr):
    """Returns a block's rows, which of them are points, and where their states are among all images' (ROWS,)."""
    rows = start + tl.arange(0, ROWS)
    exists = rows < count
    return rows, exists, image * capacity + tl.load(kept + image * capacity + rows, mask=exists, other=0)


@triton.jit
def project(
    x,
    encoding,  # (S, C, 2 HEAD): cosines, signed sines
    kept,
    counts,
    running,
    weight,  # (parts x HEADS x HEAD, DIM)
    bias,
    out,  # (parts, S, HEADS, C, HEAD)
    capacity,
    images,
    DIM: tl.constexpr,
    HEADS: tl.constexpr,
    HEAD: tl.constexpr,
    ROTATED: tl.constexpr,  # parts that are rotated: queries and keys of a self-attention
    ROWS: tl.constexpr,
    HALF: tl.constexpr,  # a power of 2 that holds HEAD / 2
    DEPTH: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Queries, keys and values of one head and block of rows for each program."""
    start = tl.program_id(0) * ROWS
    part = tl.program_id(1) // HEADS
    head = tl.program_id(1) % HEADS
    image = tl.program_id(2)
    count = live(counts, running, image)
    if start >= count:
        return
    rows, exists, places = block_of(kept, count, image, start, capacity, ROWS)
    exists = exists[:, None]
    lows = tl.arange(0, HALF)
    in_head = (lows < HEAD // 2)[None, :]
    columns = (part * HEADS + head) * HEAD + lows
    low = tl.zeros((ROWS, HALF), tl.float32)
    high = tl.zeros((ROWS, HALF), tl.float32)
    for k in range(0, DIM, DEPTH):
        depth = k + tl.arange(0, DEPTH)
        inside = depth < DIM
        states = tl.load(x + places[:, None] * DIM + depth[None, :], mask=exists & inside[None, :], other=0.0)
        states = states.to(weight.dtype.element_ty)
        weights = weight + columns[None, :] * DIM + depth[:, None]
        wanted = in_head & inside[:, None]
        low = tl.dot(states, tl.load(weights, mask=wanted, other=0.0), low, input_precision=PRECISION)
        weights += HEAD // 2 * DIM
        high = tl.dot(states, tl.load(weights, mask=wanted, other=0.0), high, input_precision=PRECISION)
    low += tl.load(bias + columns, mask=lows < HEAD // 2, other=0.0)[None, :].to(tl.float32)
    high += tl.load(bias + columns + HEAD // 2, mask=lows < HEAD // 2, other=0.0)[None, :].to(tl.float32)
    if part < ROTATED:
        wanted = exists & in_head
        cosines = encoding + places[:, None] * (2 * HEAD) + lows[None, :]
        cosine_low = tl.load(cosines, mask=wanted, other=0.0).to(tl.float32)
        cosine_high = tl.load(cosines + HEAD // 2, mask=wanted, other=0.0).to(tl.float32)
        sine_low = tl.load(cosines + HEAD, mask=wanted, other=0.0).to(tl.float32)
        sine_high = tl.load(cosines + HEAD + HEAD // 2, mask=wanted, other=0.0).to(tl.float32)
        turned = low * cosine_low + high * sine_low
        high = high * cosine_high + low * sine_high
        low = turned
    target = out + (((part * images + image) * HEADS + head) * capacity + rows[:, None]) * HEAD + lows[None, :]
    tl.store(target, low.to(out.dtype.element_ty), mask=exists & in_head)
    tl.store(target + HEAD // 2, high.to(out.dtype.element_ty), mask=exists & in_head)


@triton.jit
def attend(
    heads,  # (parts, S, HEADS, C, HEAD) of `project`
    counts,
    running,
    context,  # (S, C, HEADS x HEAD)
    capacity,
    images,
    HEADS: tl.constexpr,
    HEAD: tl.constexpr,
    CROSS: tl.constexpr,  # the keys are the shared queries of the pair's other image
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
    CHANNELS: tl.constexpr,  # a power of 2 that holds HEAD
    PRECISION: tl.constexpr,
):
    """Attention of one head and block of queries for each program, with a running maximum and sum (FlashAttention)."""
    start = tl.program_id(0) * ROWS
    head = tl.program_id(1)
    image = tl.program_id(2)
    count = live(counts, running, image)
    if start >= count:
        return
    other = image
    if CROSS:
        other = image ^ 1
    key_count = tl.load(counts + other)
    part = images * HEADS * capacity * HEAD
    rows = start + tl.arange(0, ROWS)
    channels = tl.arange(0, CHANNELS)
    in_head = channels < HEAD
    exists = (rows < count)[:, None] & in_head[None, :]
    of_queries = heads + (image * HEADS + head) * capacity * HEAD
    of_keys = heads + (other * HEADS + head) * capacity * HEAD
    if not CROSS:
        of_keys += part
    of_values = of_keys + part
    queries = tl.load(of_queries + rows[:, None] * HEAD + channels[None, :], mask=exists, other=0.0)
    highest = tl.full((ROWS,), -float("inf"), tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    sums = tl.zeros((ROWS, CHANNELS), tl.float32)
    for first in range(0, key_count, KEYS):
        places = first + tl.arange(0, KEYS)
        there = places < key_count
        keys = of_keys + places[None, :] * HEAD + channels[:, None]
        keys = tl.load(keys, mask=there[None, :] & in_head[:, None], other=0.0)
        scores = tl.dot(queries, keys, input_precision=PRECISION) * LOG2_E
        scores = tl.where(there[None, :], scores, -float("inf"))
        new_highest = tl.maximum(highest, tl.max(scores, 1))
        weights = tl.exp2(scores - new_highest[:, None])
        fade = tl.exp2(highest - new_highest)
        total = total * fade + tl.sum(weights, 1)
        values = of_values + places[:, None] * HEAD + channels[None, :]
        values = tl.load(values, mask=there[:, None] & in_head[None, :], other=0.0)
        sums = tl.dot(weights.to(values.dtype), values, sums * fade[:, None], input_precision=PRECISION)
        highest = new_highest
    result = sums / total[:, None]
    target = context + (image * capacity + rows[:, None]) * (HEADS * HEAD) + head * HEAD + channels[None, :]
    tl.store(target, result.to(context.dtype.element_ty), mask=exists)


@triton.jit
def widen(
    x,
    context,  # (S, C, DIM)
    kept,
    counts,
    running,
    weight,  # (2 DIM, 2 DIM)
    bias,
    hidden,  # (S, C, 2 DIM)
    capacity,
    DIM: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """The update's first product, of states and context, for one tile of the result for each program."""
    start = tl.program_id(0) * ROWS
    image = tl.program_id(2)
    count = live(counts, running, image)
    if start >= count:
        return
    rows, exists, places = block_of(kept, count, image, start, capacity, ROWS)
    exists = exists[:, None]
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    wide = columns < 2 * DIM
    tile = tl.zeros((ROWS, COLUMNS), tl.float32)
    for k in range(0, DIM, DEPTH):
        depth = k + tl.arange(0, DEPTH)
        inside = depth < DIM
        states = tl.load(x + places[:, None] * DIM + depth[None, :], mask=exists & inside[None, :], other=0.0)
        weights = weight + columns[None, :] * (2 * DIM) + depth[:, None]
        wanted = inside[:, None] & wide[None, :]
        of_states = tl.load(weights, mask=wanted, other=0.0)
        tile = tl.dot(states.to(of_states.dtype), of_states, tile, input_precision=PRECISION)
        messages = context + (image * capacity + rows[:, None]) * DIM + depth[None, :]
        messages = tl.load(messages, mask=exists & inside[None, :], other=0.0)
        of_messages = tl.load(weights + DIM, mask=wanted, other=0.0)
        tile = tl.dot(messages, of_messages, tile, input_precision=PRECISION)
    tile += tl.load(bias + columns, mask=wide, other=0.0)[None, :].to(tl.float32)
    target = hidden + (image * capacity + rows[:, None]) * (2 * DIM) + columns[None, :]
    tl.store(target, tile.to(hidden.dtype.element_ty), mask=exists & wide[None, :])


@triton.jit
def narrow(
    hidden,  # (S, C, 2 DIM) of `widen`
    kept,
    counts,
    running,
    scale,  # of the norm, (2 DIM,) float32
    shift,
    weight,  # (DIM, 2 DIM)
    bias,
    x,
    capacity,
    DIM: tl.constexpr,
    EPSILON: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Norm, GELU, the update's second product and the residual sum, for one tile of the states for each program."""
    start = tl.program_id(0) * ROWS
    image = tl.program_id(2)
    count = live(counts, running, image)
    if start >= count:
        return
    rows, exists, places = block_of(kept, count, image, start, capacity, ROWS)
    exists = exists[:, None]
    source = hidden + (image * capacity + rows[:, None]) * (2 * DIM)
    mean = tl.zeros((ROWS,), tl.float32)
    for k in range(0, 2 * DIM, DEPTH):
        depth = k + tl.arange(0, DEPTH)
        values = tl.load(source + depth[None, :], mask=exists & (depth < 2 * DIM)[None, :], other=0.0)
        mean += tl.sum(values.to(tl.float32), 1) / (2 * DIM)
    variance = tl.zeros((ROWS,), tl.float32)
    for k in range(0, 2 * DIM, DEPTH):
        depth = k + tl.arange(0, DEPTH)
        inside = exists & (depth < 2 * DIM)[None, :]
        values = tl.load(source + depth[None, :], mask=inside, other=0.0).to(tl.float32)
        away = tl.where(inside, values - mean[:, None], 0.0)
        variance += tl.sum(away * away, 1) / (2 * DIM)
    inverse = tl.rsqrt(variance + EPSILON)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    narrowed = columns < DIM
    tile = tl.zeros((ROWS, COLUMNS), tl.float32)
    for k in range(0, 2 * DIM, DEPTH):
        depth = k + tl.arange(0, DEPTH)
        inside = depth < 2 * DIM
        values = tl.load(source + depth[None, :], mask=exists & inside[None, :], other=0.0).to(tl.float32)
        values = (values - mean[:, None]) * inverse[:, None]
        values = values * tl.load(scale + depth, mask=inside, other=0.0)[None, :]
        values += tl.load(shift + depth, mask=inside, other=0.0)[None, :]
        values = 0.5 * values * (1.0 + tl.erf(values * SQRT_HALF))
        weights = weight + columns[None, :] * (2 * DIM) + depth[:, None]
        weights = tl.load(weights, mask=inside[:, None] & narrowed[None, :], other=0.0)
        tile = tl.dot(values.to(weights.dtype), weights, tile, input_precision=PRECISION)
    tile += tl.load(bias + columns, mask=narrowed, other=0.0)[None, :].to(tl.float32)
    target = x + places[:, None] * DIM + columns[None, :]
    wanted = exists & narrowed[None, :]
    tl.store(target, tl.load(target, mask=wanted, other=0.0) + tile, mask=wanted)
