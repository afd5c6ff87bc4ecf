# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightmatch_ros.core.engine.cuda.buckets import Buckets, Launch, level_for, plan
from lightmatch_ros.core.errors import ConfigurationError

SMALL = Buckets((8, 16, 32))


@pytest.mark.parametrize(
    ("count", "capacity"), [(0, 8), (1, 8), (7, 8), (8, 8), (9, 16), (16, 16), (17, 32), (32, 32), (33, None)]
)
def test_smallest_capacity_that_fits(count, capacity):
    assert SMALL.fit(count) == capacity


@pytest.mark.parametrize("capacities", [(), (0, 8), (16, 8), (8, 8)])
def test_bad_capacities_are_refused(capacities):
    with pytest.raises(ConfigurationError, match="wanted ascending"):
        Buckets(capacities)


@pytest.mark.parametrize(
    ("count", "capacities"), [(0, (8,)), (8, (8,)), (9, (8, 16)), (32, (8, 16, 32)), (99, (8, 16, 32))]
)
def test_capacities_that_smaller_images_need(count, capacities):
    assert SMALL.up_to(count) == capacities


def test_defaults_reach_4096_points():
    assert Buckets().largest >= 4096
    assert Buckets().fit(4096) == 4096


def test_halving_drops_what_is_above():
    assert SMALL.halved() == Buckets((8, 16))
    assert Buckets((256, 1024, 3072)).halved() == Buckets((256, 1024, 1536))
    assert Buckets((2,)).halved() == Buckets((1,))
    with pytest.raises(ConfigurationError, match="cannot be halved"):
        Buckets((1,)).halved()


def test_widths_halve_down_to_the_smallest_capacity():
    assert Buckets().widths(4096) == (4096, 2048, 1024)
    assert Buckets().widths(512) == (512, 256)
    assert Buckets().widths(256) == (256,)
    assert Buckets((8, 25)).widths(25) == (25,)


@pytest.mark.parametrize(("needed", "level"), [(0, 2), (8, 2), (9, 1), (16, 1), (17, 0), (32, 0)])
def test_level_is_the_narrowest_that_holds(needed, level):
    assert level_for((32, 16, 8), needed) == level


def test_pairs_of_one_capacity_share_launches():
    todo = plan([(8, 3), (0, 5), (20, 2), (1, 1), (40, 3), (5, 0), (3, 7)], SMALL, (1, 2))
    assert todo.launches == (Launch(8, 2, (0, 3)), Launch(8, 1, (6,)), Launch(32, 1, (2,)))
    assert (todo.empty, todo.too_large) == ((1, 5), (4,))


def test_no_pairs_no_launches():
    assert plan([], SMALL, (1, 2)).launches == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=20), st.sets(st.integers(1, 5), min_size=1))
def test_every_pair_is_planned_once_where_it_fits(counts, batches):
    todo = plan(counts, SMALL, sorted(batches))
    planned = [*todo.empty, *todo.too_large, *(p for launch in todo.launches for p in launch.members)]
    assert sorted(planned) == list(range(len(counts)))
    for launch in todo.launches:
        assert launch.batch in batches
        assert 1 <= len(launch.members) <= launch.batch
        assert all(SMALL.fit(max(counts[p])) == launch.capacity for p in launch.members)
