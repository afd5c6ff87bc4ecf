# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Figures of the evaluation against hand-made cases and closed forms."""

import math

import numpy as np
import pytest

from lightmatch_ros.evaluation import metrics

INF = float("inf")
NONE3 = np.zeros(3, bool)


@pytest.mark.parametrize(
    ("errors", "threshold", "expected"),
    [
        ([0.0], 5, 1.0),
        ([0.0, 0.0, 0.0], 1, 1.0),
        ([INF], 5, 0.0),
        ([], 5, 0.0),
        ([7.0], 5, 0.0),
        # One pair at error e: the curve climbs from 0 to 1 over [0, e], then stays: 1 - e / 2t.
        ([1.0], 5, 0.9),
        ([2.5], 5, 0.75),
        # Half of the pairs fail: half of that.
        ([2.5, INF], 5, 0.375),
        # Two at 1 and 3 under 4: triangle 1*.5/2, trapezoid 2*(.5+1)/2, rectangle 1*1.
        ([3.0, 1.0], 4, (0.25 + 1.5 + 1.0) / 4),
    ],
)
def test_auc_is_the_area_under_the_recall_curve(errors, threshold, expected):
    assert metrics.auc(errors, threshold) == pytest.approx(expected)


def test_auc_of_even_errors_tends_to_a_half():
    """Errors spread evenly over [0, t] make the recall the identity: an area of one half."""
    assert metrics.auc(np.linspace(0, 5, 2001)[:-1].tolist(), 5) == pytest.approx(0.5, abs=1e-3)


def test_matchable_and_correct_on_a_hand_made_plane():
    H = np.array([[1.0, 0, 10], [0, 1, 0], [0, 0, 1]])  # everything goes 10 px to the right
    points0 = np.array([[0, 0], [50, 0], [100, 0]], np.float32)
    points1 = np.array([[10, 1], [64, 0], [300, 0]], np.float32)  # 1 px off, 4 px off, nothing
    distances = metrics.plane_distances(points0, points1, H, NONE3, NONE3)
    assert distances.shape == (3, 3)
    assert distances[0, 0] == pytest.approx(1) and distances[1, 1] == pytest.approx(4)
    np.testing.assert_array_equal(metrics.matchable(distances), [True, False, False])


def test_the_larger_of_both_reprojection_errors_counts():
    zoom = np.diag([4.0, 4.0, 1.0])
    distances = metrics.plane_distances(
        np.array([[10, 10]], np.float32), np.array([[48, 40]], np.float32), zoom, np.zeros(1, bool), np.zeros(1, bool)
    )
    assert distances[0, 0] == pytest.approx(8)  # 8 px in image 1, 2 px in image 0


def test_only_mutually_nearest_keypoints_are_matchable():
    points0 = np.array([[0, 0], [2, 0], [90, 90]], np.float32)
    points1 = np.array([[0.5, 0]], np.float32)
    distances = metrics.plane_distances(points0, points1, np.eye(3), NONE3, np.zeros(1, bool))
    np.testing.assert_array_equal(metrics.matchable(distances), [True, False, False])


def test_keypoints_off_the_plane_match_nothing():
    points = np.array([[0, 0], [20, 0], [40, 0]], np.float32)
    off = np.array([True, False, False])
    distances = metrics.plane_distances(points, points, np.eye(3), off, NONE3)
    np.testing.assert_array_equal(metrics.matchable(distances), [False, True, True])


def test_points_behind_the_other_camera_are_infinitely_far():
    H = np.array([[1.0, 0, 0], [0, 1, 0], [-0.1, 0, 1]])  # x = 10 is the horizon
    mapped = metrics.transform(H, np.array([[5.0, 0], [10, 0], [20, 0]]))
    np.testing.assert_allclose(mapped, [[10, 0], [INF, INF], [INF, INF]])


def test_no_keypoints_no_matchable_ones():
    empty = np.empty((0, 2), np.float32)
    off = np.zeros(0, bool)
    assert metrics.matchable(metrics.plane_distances(empty, empty, np.eye(3), off, off)).shape == (0,)
    some = np.zeros((2, 2), np.float32)
    assert not metrics.matchable(metrics.plane_distances(some, empty, np.eye(3), np.zeros(2, bool), off)).any()


def test_corner_error_of_a_shift_is_its_length():
    true = np.array([[0.9, -0.1, 5], [0.1, 1.1, -3], [0, 0, 1]])
    shift = np.array([[1.0, 0, 3], [0, 1, 4], [0, 0, 1]])
    assert metrics.corner_error_px(shift @ true, true, (640, 480)) == pytest.approx(5)
    assert metrics.corner_error_px(-7 * true, true, (640, 480)) == pytest.approx(0, abs=1e-9)
    assert metrics.corner_error_px(None, true, (640, 480)) == INF


def test_corner_error_of_a_zoom():
    """A zoom by 1.1 about (0, 0) moves the corners of 101 x 51 pixels by 0, 10, 5 and their hypotenuse."""
    expected = (0 + 10 + 5 + math.hypot(10, 5)) / 4
    assert metrics.corner_error_px(np.diag([1.1, 1.1, 1]), np.eye(3), (101, 51)) == pytest.approx(expected)


def test_corner_error_of_a_corner_at_infinity_is_infinite():
    H = np.array([[1.0, 0, 0], [0, 1, 0], [-1 / 100, 0, 1]])
    assert metrics.corner_error_px(H, np.eye(3), (101, 51)) == INF


def test_epipolar_distance_of_a_sideways_motion():
    """Cameras side by side: the epipolar lines are rows, and the distance is the gap of the rows in either image."""
    T = np.eye(4)
    T[0, 3] = -0.3
    x0 = np.array([[0.1, 0.2], [0.1, 0.2]])
    x1 = np.array([[-0.4, 0.2], [-0.4, 0.21]])
    distances = metrics.epipolar_distances(x0, x1, metrics.essential(T))
    np.testing.assert_allclose(distances, [0, 2 * 0.01**2], atol=1e-15)


def test_points_of_a_scene_fulfil_the_epipolar_constraint():
    rng = np.random.default_rng(1)
    X0 = np.column_stack([rng.uniform(-1, 1, (20, 2)), rng.uniform(3, 5, 20)])
    angle = 0.2
    T = np.eye(4)
    T[:3, :3] = [[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]]
    T[:3, 3] = [0.4, -0.1, 0.2]
    X1 = X0 @ T[:3, :3].T + T[:3, 3]
    distances = metrics.epipolar_distances(X0[:, :2] / X0[:, 2:], X1[:, :2] / X1[:, 2:], metrics.essential(T))
    assert distances.max() < 1e-25


def test_normalise_undoes_the_intrinsics():
    K = np.array([[500.0, 0, 320], [0, 400, 240], [0, 0, 1]])
    np.testing.assert_allclose(metrics.normalise(np.array([[320, 240], [820, 640]], np.float32), K), [[0, 0], [1, 1]])
