# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightmatch_ros.core.engine.cuda.compaction import source_rows, take_rows


@st.composite
def masks(draw):
    images, rows = draw(st.integers(1, 4)), draw(st.integers(1, 20))
    return torch.tensor(draw(st.lists(st.booleans(), min_size=images * rows, max_size=images * rows))).view(
        images, rows
    )


@settings(max_examples=100, deadline=None)
@given(masks())
def test_rows_that_stay_are_those_of_boolean_indexing(keep):
    images, rows = keep.shape
    values = torch.arange(images * rows * 3.0).view(images, rows, 3)
    source, counts = source_rows(keep)
    moved = take_rows(values, source)
    assert moved.shape == values.shape
    assert counts.dtype == torch.int32
    for image in range(images):
        assert torch.equal(moved[image, : counts[image]], values[image][keep[image]])


@settings(max_examples=50, deadline=None)
@given(masks())
def test_rows_beyond_the_count_come_from_the_same_image(keep):
    source, _ = source_rows(keep)
    assert source.min() >= 0
    assert source.max() < keep.shape[1]


@pytest.mark.parametrize("keep", [True, False])
def test_all_or_nothing(keep):
    source, counts = source_rows(torch.full((2, 5), keep))
    assert counts.tolist() == [5 * keep] * 2
    if keep:
        assert torch.equal(source, torch.arange(5).expand(2, 5))


def test_scalars_of_rows_move_too():
    source, _ = source_rows(torch.tensor([[False, True, True]]))
    assert take_rows(torch.tensor([[4, 5, 6]]), source)[0, :2].tolist() == [5, 6]


def test_values_in_a_wider_buffer_are_taken_from_its_front():
    wider = torch.arange(12).view(2, 6)
    source, _ = source_rows(torch.tensor([[False, True], [True, False]]))
    moved = take_rows(wider[:, :2], source)
    assert moved[:, 0].tolist() == [1, 6]
