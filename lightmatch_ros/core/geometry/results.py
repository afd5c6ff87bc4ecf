# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the geometry of two views answers: a homography, a pose, and why one of them is not valid."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

from lightmatch_ros.core.geometry.motion import rotation_angle
from lightmatch_ros.core.types import BoolArray, ByteArray, DoubleArray


class Reason(enum.Enum):
    """Why a result is not valid; the value is the text for a person, empty where it is valid."""

    NONE = ""
    UNCALIBRATED = "camera is not calibrated"
    TOO_FEW_MATCHES = "too few matches"
    TOO_FEW_INLIERS = "too few inliers"
    DEGENERATE = "matches lie on a line or in one place"
    PURE_ROTATION = "pure rotation: translation not observable"
    LOW_PARALLAX = "low parallax: translation not observable"
    PLANAR_AMBIGUOUS = "planar scene: two poses fit equally well"
    BEHIND_CAMERA = "points are not in front of both cameras"


class PoseModel(enum.IntEnum):
    """What a pose was estimated from; the numbers are those of the RelativePose message."""

    NONE = 0
    ESSENTIAL = 1
    HOMOGRAPHY = 2
    PNP = 3


@dataclass(frozen=True, eq=False)
class HomographyEstimate:
    """Homography from the keyframe to the current frame: x1 ~ H x0.

    Convention: pixels of the images as they came in, pixel centre = integer.

    Attributes:
        valid: H can be used.
        reason: why not.
        H: (3, 3) float64, H[2, 2] = 1; NaN where not valid.
        inliers: (K,) bool, in the order of the matches.
        rms_px: of the inliers' transfer error in the current frame, pixels; NaN without inliers.
        overlap: part of the current image that the keyframe covers, 0 to 1; NaN where not valid or
            the image sizes are not known.
    """

    valid: bool
    reason: Reason
    H: DoubleArray
    inliers: BoolArray
    rms_px: float
    overlap: float

    @property
    def num_inliers(self) -> int:
        """Matches that agree with H."""
        return int(np.count_nonzero(self.inliers))

    @classmethod
    def failed(cls, reason: Reason, num_matches: int) -> HomographyEstimate:
        """No homography."""
        nothing = np.zeros(num_matches, np.bool_)
        return cls(False, reason, unknown(3), nothing, math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class PoseEstimate:
    """Pose of the current camera in the keyframe's frame.

    Convention: X0 = T_0_from_1 X1, optical frames of REP 103 (x right, y down, z forward).
    Translation has unit length unless metric. The covariance is that of (x y z rx ry rz), the
    rotation vector about the fixed axes of frame 0: R_true = exp(r) R.

    Attributes:
        valid: rotation and translation can be used.
        rotation_valid: the rotation can be used, even where valid is False: translation was not
            observable. T_0_from_1 then holds a zero translation, with a variance of 1e6.
        reason: why not valid.
        metric: translation is in metres.
        model: what the pose was estimated from.
        T_0_from_1: (4, 4) float64; NaN where neither valid nor rotation_valid.
        covariance: (6, 6) float64; NaN where covariance_valid is False.
        covariance_valid: the covariance can be used.
        E: (3, 3) float64, x1^T E x0 = 0 in normalised coordinates, unit Frobenius norm; NaN where
            there is none.
        inliers: (K,) bool, matches that agree with the pose by the model that was selected.
        inliers_e: (K,) bool, matches that agree with E.
        num_inliers_h: matches that agree with a homography between the undistorted images.
        ratio_h: score_h / (score_h + score_e), 0 to 1; NaN where a score is missing.
        median_parallax_deg: of the inliers, rotation taken out, degrees; NaN without inliers.
        rms_px: of the inliers' error, pixels (Sampson; for PnP and pure rotation reprojection).
    """

    valid: bool
    rotation_valid: bool
    reason: Reason
    metric: bool
    model: PoseModel
    T_0_from_1: DoubleArray
    covariance: DoubleArray
    covariance_valid: bool
    E: DoubleArray
    inliers: BoolArray
    inliers_e: BoolArray
    num_inliers_h: int
    ratio_h: float
    median_parallax_deg: float
    rms_px: float

    @property
    def num_inliers_e(self) -> int:
        """Matches that agree with E."""
        return int(np.count_nonzero(self.inliers_e))

    @property
    def rotation_deg(self) -> float:
        """Angle between the two cameras, degrees; NaN where the rotation is not known."""
        if not self.rotation_valid:
            return math.nan
        return math.degrees(rotation_angle(self.T_0_from_1[:3, :3]))

    @classmethod
    def failed(cls, reason: Reason, num_matches: int) -> PoseEstimate:
        """No pose, and nothing known about it."""
        nothing = np.zeros(num_matches, np.bool_)
        nan = math.nan
        return cls(
            valid=False,
            rotation_valid=False,
            reason=reason,
            metric=False,
            model=PoseModel.NONE,
            T_0_from_1=unknown(4),
            covariance=unknown(6),
            covariance_valid=False,
            E=unknown(3),
            inliers=nothing,
            inliers_e=nothing,
            num_inliers_h=0,
            ratio_h=nan,
            median_parallax_deg=nan,
            rms_px=nan,
        )


@dataclass(frozen=True, eq=False)
class TwoView:
    """All that two views say about each other.

    Attributes:
        homography: in pixels of the images as they came in.
        pose: of the current camera in the keyframe's frame.
        inliers: (K,) uint8, for each match in its order: bit 0 agrees with the selected model (that of
            the pose; the homography where no match supports a pose), bit 1 with the essential matrix,
            bit 2 with the homography.
    """

    homography: HomographyEstimate
    pose: PoseEstimate
    inliers: ByteArray

    @property
    def selected(self) -> BoolArray:
        """(K,) bool, matches that agree with the selected model."""
        return (self.inliers & 1).astype(np.bool_)


def unknown(size: int) -> DoubleArray:
    """A (size, size) matrix of NaN: what is not known is not mistaken for a number."""
    return np.full((size, size), math.nan)
