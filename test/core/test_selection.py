# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Scores of the two models, by hand for one match and by the ratio for whole scenes."""

import math

import numpy as np
import pytest
from two_view_scenes import K, make, pose, rotation_xyz

from lightmatch_ros.core.geometry.motion import Motion, homogeneous
from lightmatch_ros.core.geometry.relative_pose import Rays
from lightmatch_ros.core.geometry.selection import (
    GAMMA,
    clearly_better,
    ratio_h,
    scores_essential,
    scores_homography,
)

SIDEWAYS = Motion(np.eye(3), np.array([1.0, 0.0, 0.0])).essential  # epipolar lines are the image rows


def one_match(dx_px, dy_px, focal0=500.0, focal1=500.0):
    x1 = np.array([[dx_px / focal1, dy_px / focal1, 1.0]])
    return Rays(np.array([[0.0, 0.0, 1.0]]), x1, focal0, focal1)


@pytest.mark.parametrize(
    ("dx", "dy", "sigma", "expected"),
    [
        (0.0, 0.0, 1.0, 2 * 5.99),
        (1.0, 1.0, 1.0, 2 * (5.99 - 2.0)),
        (2.0, 1.0, 1.0, 2 * (5.99 - 5.0)),
        (2.0, 1.5, 1.0, 0.0),  # 6.25 is beyond the gate of 5.99
        (2.0, 2.0, 2.0, 2 * (5.99 - 2.0)),
    ],
)
def test_score_of_one_match_under_a_homography(dx, dy, sigma, expected):
    assert scores_homography(np.eye(3), one_match(dx, dy), sigma) == pytest.approx([expected])


@pytest.mark.parametrize(
    ("dx", "dy", "sigma", "expected"),
    [
        (0.0, 0.0, 1.0, 2 * 5.99),
        (70.0, 1.0, 1.0, 2 * (5.99 - 1.0)),  # along the line costs nothing
        (0.0, 1.9, 1.0, 2 * (5.99 - 3.61)),
        (0.0, 2.0, 1.0, 0.0),  # 4 is beyond the gate of 3.84
        (0.0, 2.0, 2.0, 2 * (5.99 - 1.0)),
    ],
)
def test_score_of_one_match_under_an_essential_matrix(dx, dy, sigma, expected):
    assert scores_essential(SIDEWAYS, one_match(dx, dy), sigma) == pytest.approx([expected])


def test_each_image_counts_in_its_own_pixels():
    """Twice the focal length in the keyframe: 1 px in the current frame is 2 px there."""
    rays = one_match(0.0, 1.0, focal0=1000.0, focal1=500.0)
    assert scores_homography(np.eye(3), rays, 1.0) == pytest.approx([5.99 - 1.0 + 5.99 - 4.0])
    assert scores_essential(SIDEWAYS, rays, 1.0) == pytest.approx([5.99 - 1.0])  # 4 is beyond 3.84


def test_singular_homography_scores_nothing():
    assert scores_homography(np.zeros((3, 3)), one_match(0, 0), 1.0).tolist() == [0.0]
    to_infinity = np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, 0]])  # w = x = 0
    assert scores_homography(to_infinity, one_match(0, 0), 1.0).tolist() == [0.0]


def test_no_match():
    nothing = Rays(np.zeros((0, 3)), np.zeros((0, 3)), 500.0, 500.0)
    assert scores_homography(np.eye(3), nothing, 1.0).shape == (0,)
    assert scores_essential(SIDEWAYS, nothing, 1.0).shape == (0,)


def test_ratio():
    assert ratio_h(1.0, 3.0) == 0.25
    assert ratio_h(2.0, 0.0) == 1.0
    assert math.isnan(ratio_h(0.0, 0.0))


@pytest.mark.parametrize(("plane", "low", "high"), [((0.1, 0.2, 1.0, 6.0), 0.47, 0.51), (None, 0.0, 0.3)])
def test_ratio_tells_a_plane_from_a_scene_with_depth(plane, low, high):
    """With the true models of both: H of the plane n . X = d, as good as E only where points lie on it."""
    T = pose(rotation_xyz(3, -8, 5), (0.5, 0.1, 0.2))
    scene = make(T, plane=plane, noise_px=0.5, outliers=0.3)
    inverse = np.linalg.inv(K).T
    x0, x1 = (homogeneous(p.astype(float)) @ inverse for p in (scene.matches.points0, scene.matches.points1))
    rays = Rays(x0, x1, K[0, 0], K[1, 1])
    H = T[:3, :3].T @ (np.eye(3) - np.outer(T[:3, 3], [0.1, 0.2, 1.0]) / 6.0)
    E = Motion(T[:3, :3], T[:3, 3]).essential
    scores_h, scores_e = scores_homography(H, rays, 1.0).sum(), scores_essential(E, rays, 1.0).sum()
    assert low < ratio_h(scores_h, scores_e) < high
    assert scores_e <= 2 * GAMMA * 300


def test_clearly_better():
    rng = np.random.default_rng(0)
    scores = rng.uniform(5, 10, 300)
    assert not clearly_better(scores, scores)
    assert not clearly_better(scores, scores - 1e-9)  # rounding, though of one sign
    assert not clearly_better(scores, scores + rng.normal(0.0, 1.0, 300))  # chance
    assert clearly_better(scores, scores - np.where(np.arange(300) < 30, 5.0, 0.0))
    assert not clearly_better(scores - 1.0, scores)
