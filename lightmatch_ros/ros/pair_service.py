# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The service that matches any two images with each other."""

from __future__ import annotations

from typing import Any

from lightmatch_msgs.msg import MatchArray
from lightmatch_msgs.srv import MatchImages
from sensor_msgs.msg import CameraInfo, Image

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.config import NodeConfig
from lightmatch_ros.core.geometry import estimate_two_view
from lightmatch_ros.core.matching import Matching
from lightmatch_ros.core.types import Features
from lightmatch_ros.ros import conversions
from lightmatch_ros.ros.image_conversions import camera_model, image_to_array


def match_images(
    matching: Matching, config: NodeConfig, request: MatchImages.Request, response: MatchImages.Response
) -> None:
    """Fills the response to a request. To be called on the thread that owns the networks.

    Raises:
        InputError: an image or calibration that cannot be used; the response is as it was.
    """
    features0, camera0 = _side(matching, config, request.image0, request.camera_info0)
    features1, camera1 = _side(matching, config, request.image1, request.camera_info1)
    matches = matching.matcher.match(features0, features1)
    sizes = features0.image_size, features1.image_size
    two_view = estimate_two_view(matches, camera0, camera1, config.geometry, size0=sizes[0], size1=sizes[1])
    ends = conversions.Ends(request.image1.header, request.image0.header, pair_type=MatchArray.SERVICE)
    response.matches = conversions.match_array(ends, matches, two_view.inliers, sizes, features0.name, None)
    response.homography = conversions.homography(ends, two_view.homography, len(matches))
    response.relative_pose = conversions.relative_pose(ends, two_view.pose, len(matches))


def _side(
    matching: Matching, config: NodeConfig, image: Image, info: CameraInfo
) -> tuple[Features, CameraModel | None]:
    pixels: Any = image_to_array(image)
    camera = camera_model(info, config.rectified)
    if camera is not None:
        camera.check_image_size(pixels.shape[1], pixels.shape[0])
    return matching.extract(pixels), camera
