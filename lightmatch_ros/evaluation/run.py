# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Runs contestants over a set of pairs and adds up what they are worth.

Figures: precision and recall of matches on planes are over all matches and all matchable keypoints of a group; the
precision of epipolar geometry is the mean over pairs, 0 where a pair has no match, as in SuperGlue (CVPR 2020). The
estimator is random in the order of the matches: it runs REPEATS times on each pair, shuffled, and all errors count, as
in DKM (CVPR 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lightmatch_ros.core.types import BoolArray, Features, FloatArray, Matches
from lightmatch_ros.evaluation import metrics
from lightmatch_ros.evaluation.datasets import Pair, PairSet, Picture, PlaneTruth, PoseTruth
from lightmatch_ros.evaluation.estimate import Estimate, estimate_homography, estimate_motion, pose_error_deg
from lightmatch_ros.evaluation.matchers import Contestant, FeatureStore

CORNER_THRESHOLDS_PX = (1, 3, 5)
POSE_THRESHOLDS_DEG = (5, 10, 20)
ALL = "all"
REPEATS = 5


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one contestant made of one pair.

    Attributes:
        pair, group: names.
        is_plane: the error is that of a homography.
        errors: corner errors, pixels, or pose errors, degrees, of the repetitions; infinite without an estimate.
        matches: given.
        correct: of those.
        matchable: keypoints of image 0 that have a true match; planes alone.
        recalled: of those, with a correct match.
        stop_layer, kept_ratio: see `Matches`.
        inliers: (indices0, indices1) of the estimated model's inliers.
        all_matches: likewise of all matches.
    """

    pair: str
    group: str
    is_plane: bool
    errors: tuple[float, ...]
    matches: int
    correct: int
    matchable: int
    recalled: int
    stop_layer: int
    kept_ratio: float
    inliers: frozenset[tuple[int, int]]
    all_matches: frozenset[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Record:
    """A contestant's result on a set.

    Attributes:
        set_name: of the set.
        contestant: who.
        num_pairs: of the set.
        figures: over all pairs, by name.
        groups: number of pairs and figures of each group, where there are several.
        errors: of each pair, "group/name", the median over the repetitions; infinite where nothing was estimated.
    """

    set_name: str
    contestant: Contestant
    num_pairs: int
    figures: Mapping[str, float]
    groups: Mapping[str, tuple[int, Mapping[str, float]]]
    errors: Mapping[str, float]


def evaluate(
    pair_set: PairSet,
    rows: Sequence[Contestant],
    store: FeatureStore,
    progress: Callable[[Sequence[Callable[[], Pair]]], Iterable[Callable[[], Pair]]] = iter,
) -> list[Record]:
    """Runs all contestants over a set.

    Args:
        pair_set: pairs.
        rows: contestants.
        store: extracts the features.
        progress: wraps the pairs in whatever shows how far it got.
    """
    outcomes: dict[str, list[Outcome]] = {row.name: [] for row in rows}
    for make in progress(pair_set.pairs):
        pair = make()
        for row in rows:
            features = store.get(pair.picture0, row.features), store.get(pair.picture1, row.features)
            outcomes[row.name].append(score(pair, features, row.match(*features)))
    return [_record(pair_set.name, row, outcomes) for row in rows]


def score(pair: Pair, features: tuple[Features, Features], matches: Matches) -> Outcome:
    """Compares the matches of a pair with the truth."""
    truth = pair.truth
    if isinstance(truth, PlaneTruth):
        counts = _on_plane(pair, truth, features, matches)
    else:
        x0, x1 = metrics.normalise(matches.points0, truth.K0), metrics.normalise(matches.points1, truth.K1)
        distances = metrics.epipolar_distances(x0, x1, metrics.essential(truth.T_1_from_0))
        counts = int((distances < metrics.CORRECT_EPIPOLAR).sum()), 0, 0
    rng = np.random.default_rng(0)
    orders = [np.arange(len(matches)), *(rng.permutation(len(matches)) for _ in range(REPEATS - 1))]
    estimates = [_estimate(truth, matches.points0[order], matches.points1[order]) for order in orders]
    errors = tuple(_error(truth, estimate, features[0].image_size) for estimate in estimates)
    return _outcome(pair, matches, estimates[0].inliers, errors, counts)


def figures(outcomes: Sequence[Outcome], layered: bool) -> dict[str, float]:
    """Returns the figures of pairs of one kind; those of layers only where there are layers."""
    errors = [error for o in outcomes for error in o.errors]
    found = {"matches": _mean(o.matches for o in outcomes)}
    if outcomes and outcomes[0].is_plane:
        found["precision"] = _part(sum(o.correct for o in outcomes), sum(o.matches for o in outcomes))
        found["recall"] = _part(sum(o.recalled for o in outcomes), sum(o.matchable for o in outcomes))
        found |= {f"auc@{t}px": metrics.auc(errors, t) for t in CORNER_THRESHOLDS_PX}
    else:
        found["precision"] = _mean(_part(o.correct, o.matches) for o in outcomes)
        found |= {f"auc@{t}deg": metrics.auc(errors, t) for t in POSE_THRESHOLDS_DEG}
    if layered:
        found["stop_layer"] = _mean(o.stop_layer for o in outcomes)
        found["kept_ratio"] = _mean(o.kept_ratio for o in outcomes)
    return found


def adaptivity(adaptive: Sequence[Outcome], full: Sequence[Outcome]) -> dict[str, float]:
    """Returns what early stopping and pruning leave of the full depth's inliers, over all pairs.

    Returns:
        inliers_kept: part of the full depth's inlier matches that the adaptive run found as well.
        inlier_count: inliers of the adaptive run relative to those of the full depth.
    """
    total = sum(len(f.inliers) for f in full)
    kept = sum(len(f.inliers & a.all_matches) for a, f in zip(adaptive, full, strict=True))
    return {
        "inliers_kept": _part(kept, total),
        "inlier_count": _part(sum(len(a.inliers) for a in adaptive), total),
    }


def _record(set_name: str, row: Contestant, outcomes: Mapping[str, Sequence[Outcome]]) -> Record:
    own, full = outcomes[row.name], outcomes.get(row.full_depth)

    def of(group: str) -> dict[str, float]:
        chosen = [i for i, o in enumerate(own) if group in (ALL, o.group)]
        found = figures([own[i] for i in chosen], row.layered)
        if full is not None:
            found |= adaptivity([own[i] for i in chosen], [full[i] for i in chosen])
        return found

    sizes = {o.group: sum(other.group == o.group for other in own) for o in own}
    groups = {group: (size, of(group)) for group, size in sizes.items()} if len(sizes) > 1 else {}
    errors = {f"{o.group}/{o.pair}": float(np.median(o.errors)) for o in own}
    return Record(set_name, row, len(own), of(ALL), groups, errors)


def _estimate(truth: PlaneTruth | PoseTruth, points0: FloatArray, points1: FloatArray) -> Estimate:
    if isinstance(truth, PlaneTruth):
        return estimate_homography(points0, points1)
    x0, x1 = metrics.normalise(points0, truth.K0), metrics.normalise(points1, truth.K1)
    return estimate_motion(x0, x1, float(np.mean([truth.K0[[0, 1], [0, 1]], truth.K1[[0, 1], [0, 1]]])))


def _error(truth: PlaneTruth | PoseTruth, estimate: Estimate, size: tuple[int, int]) -> float:
    if isinstance(truth, PlaneTruth):
        return metrics.corner_error_px(estimate.model, truth.H, size)
    return pose_error_deg(estimate.model, truth.T_1_from_0)


def _on_plane(
    pair: Pair, truth: PlaneTruth, features: tuple[Features, Features], matches: Matches
) -> tuple[int, int, int]:
    """Counts correct matches, matchable keypoints and those of them with a correct match."""
    distances = metrics.plane_distances(
        features[0].keypoints,
        features[1].keypoints,
        truth.H,
        _hidden(pair.picture0, features[0]),
        _hidden(pair.picture1, features[1]),
    )
    correct = distances[matches.indices0, matches.indices1] < metrics.CORRECT_PX
    matchable = metrics.matchable(distances)
    return int(correct.sum()), int(matchable.sum()), int(matchable[matches.indices0[correct]].sum())


def _hidden(picture: Picture, features: Features) -> BoolArray:
    """Which keypoints lie on what does not belong to the plane."""
    if picture.hidden is None:
        return np.zeros(len(features), np.bool_)
    width, height = features.image_size
    x, y = np.rint(features.keypoints).astype(np.int64).T
    return np.asarray(picture.hidden[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)])


def _outcome(
    pair: Pair, matches: Matches, inliers: BoolArray, errors: tuple[float, ...], counts: tuple[int, int, int]
) -> Outcome:
    indices = list(zip(matches.indices0.tolist(), matches.indices1.tolist(), strict=True))
    return Outcome(
        pair=pair.name,
        group=pair.group,
        is_plane=isinstance(pair.truth, PlaneTruth),
        errors=errors,
        matches=len(matches),
        correct=counts[0],
        matchable=counts[1],
        recalled=counts[2],
        stop_layer=matches.stop_layer,
        kept_ratio=matches.kept_ratio,
        inliers=frozenset(index for index, good in zip(indices, inliers, strict=True) if good),
        all_matches=frozenset(indices),
    )


def _part(count: int, total: int) -> float:
    return count / total if total else 0.0


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
