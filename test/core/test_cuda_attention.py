# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from lightmatch_ros.core.engine.cuda import attention
from lightmatch_ros.core.engine.cuda.attention import attend, slot_bounds


def heads(images: int, width: int, seed: int) -> torch.Tensor:
    return torch.randn(images, width, 2, 8, generator=torch.Generator().manual_seed(seed))


def plain(q, k, v):
    """(W, H, C): one image without padding."""
    scores = torch.einsum("qhc,khc->hqk", q, k)
    return torch.einsum("hqk,khc->qhc", scores.softmax(-1), v)


def by_sequence(q, k, v, bounds_q, bounds_k, max_q, max_k, *, scale, seqused_k):
    """What variable-length attention is documented to do, a sequence at a time."""
    assert scale == 1.0
    assert bounds_q.dtype == bounds_k.dtype == seqused_k.dtype == torch.int32
    assert bounds_q[-1] == len(q)
    assert bounds_q.diff().max() <= max_q
    out = torch.zeros_like(q)
    for start, end, start_k, keys in zip(bounds_q[:-1], bounds_q[1:], bounds_k[:-1], seqused_k):
        assert keys <= max_k
        if end > start and keys:
            out[start:end] = plain(q[start:end], k[start_k : start_k + keys], v[start_k : start_k + keys])
    return out


@pytest.mark.parametrize("counts", [[(5, 7)], [(1, 1), (9, 2)], [(9, 9), (4, 1), (2, 9)], [(0, 4), (3, 3)]])
@pytest.mark.parametrize("varlen", [False, True])
def test_each_image_attends_to_its_own_keys(counts, varlen, monkeypatch):
    monkeypatch.setattr(attention, "_varlen_attention", by_sequence)
    width = 9
    q, k, v = (heads(len(counts), width, seed) for seed in range(3))
    count_q, count_k = torch.tensor(counts, dtype=torch.int32).T.contiguous()
    out = (attention._by_length if varlen else attend)(*([q, k, v, count_q, count_k]))
    for i, (points, keys) in enumerate(counts):
        torch.testing.assert_close(out[i, :points], plain(q[i, :points], k[i, :keys], v[i, :keys]))


def test_left_over_keys_have_no_effect():
    q, k, v = (heads(2, 6, seed) for seed in range(3))
    counts = torch.tensor([4, 6], dtype=torch.int32)
    before = attend(q, k, v, counts, counts)
    k[0, 4:], v[0, 4:] = 1e6, -1e6
    assert torch.equal(attend(q, k, v, counts, counts), before)


def test_slots_are_sequences_of_points_and_rests():
    bounds, lengths = slot_bounds(torch.tensor([3, 0, 8], dtype=torch.int32), 8)
    assert bounds.tolist() == [0, 3, 8, 8, 16, 24, 24]
    assert lengths.tolist() == [3, 0, 0, 0, 8, 0]
