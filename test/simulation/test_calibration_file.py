# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Calibration files: both formats, and a clear word about each that cannot be used."""

import pytest

from lightmatch_ros.core.distortion import DistortionModel
from lightmatch_ros.core.errors import CalibrationError
from lightmatch_ros.simulation.calibration import load_calibration

# As camera_calibration writes it.
CAMERA_INFO = """image_width: 640
image_height: 480
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [438.783367, 0.000000, 305.593336, 0.000000, 437.302876, 243.738352, 0.000000, 0.000000, 1.000000]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.361976, 0.110510, 0.001014, 0.000505, 0.000000]
rectification_matrix:
  rows: 3
  cols: 3
  data: [0.999978, 0.002789, -0.006046, -0.002816, 0.999986, -0.004401, 0.006034, 0.004417, 0.999972]
projection_matrix:
  rows: 3
  cols: 4
  data: [393.653800, 0.000000, 322.797939, 0.0, 0.0, 393.653800, 241.090902, 0.0, 0.0, 0.0, 1.0, 0.0]
"""
BARE = "5.85e+02 0 3.2e+02\n0 5.85e+02 2.4e+02\n0 0 1\n"


def written(tmp_path, text, name="camera.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["camera.yaml", "camera.YML"])
def test_reads_what_camera_calibration_writes(tmp_path, name):
    camera = load_calibration(written(tmp_path, CAMERA_INFO, name), (640, 480))
    assert camera.K.tolist() == [[438.783367, 0, 305.593336], [0, 437.302876, 243.738352], [0, 0, 1]]
    assert camera.D.tolist() == [-0.361976, 0.11051, 0.001014, 0.000505, 0]
    assert camera.model is DistortionModel.PLUMB_BOB
    assert (camera.width, camera.height) == (640, 480)


def test_reads_a_fisheye(tmp_path):
    text = CAMERA_INFO.replace("plumb_bob", "equidistant").replace(", 0.000505, 0.000000]", ", 0.000505]")
    assert load_calibration(written(tmp_path, text), (640, 480)).model is DistortionModel.EQUIDISTANT


@pytest.mark.parametrize("name", ["camera-intrinsics.txt", "K"])
def test_reads_a_bare_matrix(tmp_path, name):
    camera = load_calibration(written(tmp_path, BARE, name), (640, 480))
    assert camera.K.tolist() == [[585, 0, 320], [0, 585, 240], [0, 0, 1]]
    assert camera.model is DistortionModel.NONE


def test_reads_the_kitchens(shared_data):
    camera = load_calibration(shared_data / "kitchen" / "camera-intrinsics.txt", (640, 480))
    assert camera.K[0, 0] == 585


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("K.txt", "", "K: got 0 numbers, wanted 9"),
        ("K.txt", BARE + "1", "K: got 10 numbers, wanted 9"),
        ("K.txt", BARE.replace("0", "x", 1), "wanted numbers"),
        ("K.txt", BARE.replace("5.85e+02", "nan", 1), "wanted finite numbers"),
        ("K.txt", BARE.replace("5.85e+02", "-5", 1), "focal length: got -5"),
        ("c.yaml", "", "got NoneType, wanted the fields"),
        ("c.yaml", "[1, 2", "not YAML"),
        (
            "c.yaml",
            CAMERA_INFO.replace("640", "800"),
            r"got image_width, image_height \(800, 480\), wanted \(640, 480\)",
        ),
        ("c.yaml", CAMERA_INFO.replace("image_width: 640", ""), r"\(None, 480\)"),
        ("c.yaml", CAMERA_INFO.replace("camera_matrix", "matrix"), "camera_matrix: got None, wanted a matrix"),
        ("c.yaml", CAMERA_INFO.replace("438.783367, ", ""), "camera_matrix: got 8 numbers, wanted 9"),
        ("c.yaml", CAMERA_INFO.replace("438.783367", "[1]"), "wanted numbers"),
        ("c.yaml", CAMERA_INFO.replace("plumb_bob", "pinhole"), "distortion model: got 'pinhole'"),
        ("c.yaml", CAMERA_INFO.replace("-0.361976, ", "", 1).replace("0.110510, ", "", 1), "D: got 3 coefficients"),
    ],
)
def test_says_what_is_wrong(tmp_path, name, text, message):
    path = written(tmp_path, text, name)
    with pytest.raises(CalibrationError, match=message) as caught:
        load_calibration(path, (640, 480))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_says_when_there_is_no_such_file(tmp_path):
    with pytest.raises(CalibrationError, match="No such file"):
        load_calibration(tmp_path / "none.yaml", (640, 480))


def test_says_when_it_is_no_text(tmp_path):
    path = tmp_path / "K.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CalibrationError, match=r"K\.txt"):
        load_calibration(path, (640, 480))
