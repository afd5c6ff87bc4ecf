# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
import torch

from training import ground_truth, loss
from training.dataset import quarter_turns
from training.features import extract
from training.ground_truth import Labels


def camera(x=0.0):
    """P (1, 3, 4): 100 px focal length, principal point (50, 50), x metres to the right."""
    K = torch.tensor([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]])
    T = torch.cat([torch.eye(3), torch.tensor([[-x], [0.0], [0.0]])], 1)
    return (K @ T)[None]


def labelled(pixels0, world0, P0, pixels1, world1, P1, scales1=None, angles1=None):
    tensors = [torch.as_tensor(t, dtype=torch.float32)[None] for t in (pixels0, world0, pixels1, world1)]
    distances = ground_truth.reprojection_distances(tensors[0], tensors[1], P0, tensors[2], tensors[3], P1)
    ones0, ones1 = torch.ones(1, len(pixels0)), torch.ones(1, len(pixels1))
    scales1 = ones1 if scales1 is None else torch.tensor([scales1])
    angles1 = ones1 if angles1 is None else torch.tensor([angles1])
    return ground_truth.label(distances, (ones0, scales1), (ones0, angles1))


def test_a_point_seen_by_two_cameras_matches():
    # 2 m ahead: 10 cm of baseline are 100 * 0.1 / 2 = 5 px.
    labels = labelled([[50, 50]], [[0, 0, 2]], camera(), [[45, 50], [60, 50]], [[0, 0, 2], [0.3, 0, 2]], camera(0.1))
    assert labels.matches0.tolist() == [[0]]
    assert not labels.non_matches0.item()
    assert labels.non_matches1.tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("offset", "is_match", "is_non_match"), [(2.9, True, False), (4.0, False, False), (5.1, False, True)]
)
def test_thresholds_leave_a_gap_that_is_ignored(offset, is_match, is_non_match):
    world1 = [[offset / 50, 0, 2]]
    labels = labelled([[50, 50]], [[0, 0, 2]], camera(), [[50 + offset, 50]], world1, camera())
    assert (labels.matches0.item() >= 0) == is_match
    assert labels.non_matches0.item() == is_non_match
    assert labels.non_matches1.item() == is_non_match


def test_a_hidden_point_does_not_match_what_hides_it():
    # The point at 4 m falls on (47.5, 50) of camera 1, where something at 1 m is seen: that is at (57.5, 50) in 0.
    labels = labelled([[50, 50]], [[0, 0, 4]], camera(), [[47.5, 50]], [[0.075, 0, 1]], camera(0.1))
    assert labels.matches0.item() == -1
    assert labels.non_matches0.item()


def test_features_without_world_point_are_non_matches():
    nothing = [[math.nan] * 3]
    labels = labelled([[50, 50]], nothing, camera(), [[50, 50]], [[0, 0, 2]], camera())
    assert labels.non_matches0.item()
    assert labels.non_matches1.item()


def test_points_behind_the_camera_are_far():
    assert torch.isnan(ground_truth.project(camera(), torch.tensor([[[0.0, 0, -1]]]))).all()


@pytest.mark.parametrize("different", [{"scales1": [4.0, 1.0]}, {"angles1": [1.0 + 1.5, 1.0 - 2 * math.pi]}])
def test_of_two_features_at_one_place_that_of_the_same_scale_and_orientation_matches(different):
    world = [[0, 0, 2], [0, 0, 2]]
    labels = labelled([[50, 50]], world[:1], camera(), [[50, 50], [50, 50]], world, camera(), **different)
    assert labels.matches0.item() == 1
    assert not labels.non_matches1.any()  # the other one is ignored


def test_relative_scale_and_angle_are_those_of_what_lies_together():
    distances = torch.full((1, 3, 3), 50.0)
    distances[0, [0, 1], [1, 2]] = 1.0  # the third feature of image 0 has no counterpart
    scales = torch.tensor([[[1.0, 2, 9]], [[7.0, 2, 4]]])
    angles = torch.tensor([[[0.1, 6.0, 3]], [[2.0, 0.6, 6.5 - 2 * math.pi]]])
    assert ground_truth.relative_scale(distances, scales).item() == pytest.approx(2)
    assert ground_truth.relative_angle(distances, angles).item() == pytest.approx(0.5)
    assert ground_truth.relative_scale(distances + 50, scales).item() == 1


def test_matches_seen_from_the_other_image():
    matches0 = torch.tensor([[2, -1, 0], [-1, -1, -1]])
    expected = [[2, -1, 0, -1], [-1, -1, -1, -1]]
    assert ground_truth.matches_of_1(matches0, 4).tolist() == expected


def test_quarter_turn_is_that_of_the_picture():
    rng = np.random.default_rng(0)
    image = np.zeros((48, 64), np.uint8)
    image[10:20, 20:45] = 200
    image[25:40, 10:18] = 120
    image = np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
    pixels = torch.tensor([[[12.0, 30.0], [5.0, 7.0]]])
    size, P = torch.tensor([[64.0, 48.0]]), torch.eye(3, 4)[None]
    for turns in range(4):
        turned = np.rot90(image, -turns)
        moved, angles, new_size, new_P = quarter_turns(pixels, torch.zeros(1, 2), size, P, torch.tensor([turns]))
        assert new_size.int().tolist() == [[turned.shape[1], turned.shape[0]]]
        for (x, y), (u, v) in zip(pixels[0].int().tolist(), moved[0].int().tolist(), strict=True):
            assert turned[v, u] == image[y, x]
        assert angles[0, 0].item() == pytest.approx(turns * math.pi / 2)
        # P = (I 0) projects (x, y, 1) to the pixel itself.
        world = torch.cat([pixels, torch.ones(1, 2, 1)], -1)
        torch.testing.assert_close(ground_truth.project(new_P, world), moved)


def test_sift_orientation_turns_clockwise_with_the_picture():
    y, x = np.mgrid[:64, :64]
    blob = 200 * np.exp(-((x - 32) ** 2 + (y - 32) ** 2) / 60) * (1 + 0.5 * np.tanh((x - 32) / 6))
    image = np.clip(blob, 0, 255).astype(np.uint8)
    before, after = (extract(np.ascontiguousarray(i), 1).geometry[0] for i in (image, np.rot90(image, -1)))
    turn = (after[3] - before[3]) % (2 * np.pi)
    assert turn == pytest.approx(np.pi / 2, abs=0.35)  # SIFT's bins are 0.17 wide


def brute_force(similarity, logits0, logits1, matches0, non0, non1):
    """Eq. 11 of the paper with eq. 7's matrix, entry by entry."""

    def sigmoid(z):
        return 1 / (1 + math.exp(-z))

    m, n = similarity.shape
    rows = [sum(math.exp(similarity[i, j]) for j in range(n)) for i in range(m)]
    columns = [sum(math.exp(similarity[i, j]) for i in range(m)) for j in range(n)]
    positive = [
        math.log(sigmoid(logits0[i]) * sigmoid(logits1[j]) * math.exp(similarity[i, j]) ** 2 / (rows[i] * columns[j]))
        for i, j in enumerate(matches0)
        if j >= 0
    ]
    negative0 = [math.log(1 - sigmoid(z)) for z, non in zip(logits0, non0, strict=True) if non]
    negative1 = [math.log(1 - sigmoid(z)) for z, non in zip(logits1, non1, strict=True) if non]

    def mean(values):
        return sum(values) / len(values) if values else 0.0

    return -(0.5 * mean(positive) + 0.25 * (mean(negative0) + mean(negative1)))


@pytest.mark.parametrize("matches0", [[1, -1, 3], [-1, -1, -1], [2, 1, 0]])
def test_loss_equals_the_formula(matches0):
    torch.manual_seed(0)
    similarity, z0, z1 = torch.randn(3, 4), torch.randn(3), torch.randn(4)
    non0, non1 = [j < 0 for j in matches0], [True, False, False, True]
    labels = Labels(torch.tensor([matches0]), torch.tensor([non0]), torch.tensor([non1]))
    got = loss.assignment_loss(similarity[None], z0[None], z1[None], labels)
    expected = brute_force(similarity.numpy(), z0.tolist(), z1.tolist(), matches0, non0, non1)
    assert got.item() == pytest.approx(expected, rel=1e-5)


def test_confidence_loss_of_a_coin_is_log_2():
    agrees = torch.tensor([[True, False, True]])
    assert loss.confidence_loss(torch.zeros(1, 3), agrees).item() == pytest.approx(math.log(2))
