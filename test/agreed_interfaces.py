# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The messages and services as agreed; a change here is a change that users notice."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAIR = (
    "std_msgs/Header header|std_msgs/Header reference_header|uint8 pair_type|string camera|string reference_camera|"
    "uint64 frame_id|uint64 reference_frame_id|"
)
FIELDS = {
    "MatchArray": PAIR + "uint32 width|uint32 height|uint32 reference_width|uint32 reference_height|string features|"
    "uint32 num_keypoints|uint32 reference_num_keypoints|float32[] points0|float32[] points1|float32[] scores|"
    "uint32[] indices0|uint32[] indices1|uint64[] track_ids|uint16[] track_ages|uint8[] inliers|uint8 stop_layer|"
    "float32 kept_ratio",
    "Homography": PAIR + "bool valid|string reason|float64[9] h|uint32 num_inliers|uint32 num_matches|float32 rms_px|"
    "float32 overlap",
    "RelativePose": PAIR + "bool valid|string reason|bool metric|uint8 model|geometry_msgs/PoseWithCovariance pose|"
    "bool covariance_valid|float64[9] essential|uint32 num_matches|uint32 inliers_e|uint32 inliers_h|float32 ratio_h|"
    "float32 median_parallax_deg|float32 rms_px",
    "Keyframe": "std_msgs/Header header|string camera|uint64 frame_id|string reason|uint32 cache_count|"
    "uint64 cache_bytes|uint64[] evicted_ids",
    "MatcherStatus": "std_msgs/Header header|string state|string device|string precision|bool compiled|"
    "float32 queue_ms|float32 extract_ms|float32 match_ms|float32 geometry_ms|float32 publish_ms|float32 total_ms|"
    "float32 age_ms|uint64 received|uint64 processed|uint64 dropped|uint64 failed|uint32 matches|uint32 inliers|"
    "uint8 stop_layer|float32 kept_ratio|float32 memory_mb",
    "MatchImages": "sensor_msgs/Image image0|sensor_msgs/Image image1|sensor_msgs/CameraInfo camera_info0|"
    "sensor_msgs/CameraInfo camera_info1|bool success|string message|MatchArray matches|Homography homography|"
    "RelativePose relative_pose",
}
