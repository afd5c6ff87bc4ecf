# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The renderer against closed forms: homographies, ray-plane intersections, OpenCV's projection, areas."""

import cv2
import numpy as np
import pytest

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.errors import CalibrationError, ConfigurationError, InputError
from lightmatch_ros.simulation.renderer import Renderer
from lightmatch_ros.simulation.scene import Quad, Scene, facing, room
from lightmatch_ros.simulation.textures import Surface, texture
from lightmatch_ros.simulation.trajectory import Trajectory

SIZE = (320, 240)
K = np.array([[260.0, 0, 158.3], [0, 262.0, 121.7], [0, 0, 1]])
CAMERA = CameraModel.from_matrix(K, SIZE)
D_TUM = (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)  # TUM RGB-D fr1
WHITE = np.full((8, 8, 3), 255, np.uint8)
UP, AHEAD = (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)
# Looks along the world's x: right = -y, down = -z.
LEVEL = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def pose(position=(0, 0, 0), turn=(0, 0, 0)):
    """A camera that looks along x, turned by a rotation vector in its own frame, radians."""
    T = LEVEL.copy()
    T[:3, :3] = T[:3, :3] @ cv2.Rodrigues(np.array(turn, float))[0]
    T[:3, 3] = position
    return T


def wall(picture, distance=3.0, size=(8.0, 6.0)):
    return facing((distance, 0, 0), AHEAD, UP, size, picture)


def smooth_texture():
    return cv2.GaussianBlur(texture(Surface.MOSAIC, (1600, 1200), 0, 200), None, 3)


def render(quads, T, camera=CAMERA):
    return Renderer(Scene(tuple(quads)), camera).render(T)


@pytest.fixture(scope="module")
def scene():
    return room(0)


@pytest.fixture(scope="module")
def renderer(scene):
    return Renderer(scene, CAMERA)


def pixel_rays(camera=CAMERA):
    v, u = np.mgrid[0 : camera.height, 0 : camera.width]
    return np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(camera.K).T  # (H, W, 3)


def nearest_depth(quads, T, rays):
    """Intersects rays (N, 3) of the optical frame with rectangles seen from either side; their z, inf = none."""
    directions, best = rays @ T[:3, :3].T, np.full(len(rays), np.inf)
    for quad in quads:
        normal = np.cross(quad.u, quad.v)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (quad.origin - T[:3, 3]) @ normal / (directions @ normal)
        hit = T[:3, 3] + np.nan_to_num(z)[:, None] * directions - quad.origin
        a, b = hit @ quad.u / (quad.u @ quad.u), hit @ quad.v / (quad.v @ quad.v)
        inside = (a >= 0) & (a <= 1) & (b >= 0) & (b <= 1) & (z > 0)
        best = np.where(inside, np.minimum(best, z), best)
    return best


# One plane


def test_two_views_of_a_plane_are_related_by_its_homography():
    """x1 ~ K (R + t n^T / d) K^-1 x0 for the plane n^T X = d in the frame of camera 0 (Hartley and Zisserman, 13.2)."""
    T0, T1 = pose((0, 0.1, 0), (0.05, -0.1, 0.05)), pose((0.5, -0.1, 0.1), (-0.05, 0.05, -0.1))
    plane = Renderer(Scene((wall(smooth_texture()),)), CAMERA)
    image0, image1 = plane.render(T0).image, plane.render(T1).image
    T_1_from_0 = np.linalg.inv(T1) @ T0
    normal = T0[:3, :3].T @ AHEAD
    distance = 3.0 - T0[0, 3]
    H = K @ (T_1_from_0[:3, :3] + np.outer(T_1_from_0[:3, 3], normal) / distance) @ np.linalg.inv(K)
    warped = cv2.warpPerspective(image0, H, SIZE, flags=cv2.INTER_CUBIC)
    seen = cv2.erode(cv2.warpPerspective(np.ones((240, 320), np.uint8), H, SIZE), np.ones((5, 5))) > 0
    assert seen.mean() > 0.6
    difference = (warped.astype(float) - image1)[seen]
    assert np.sqrt((difference**2).mean()) < 2.0  # of 255: resampling twice
    assert seen[60:180, 80:240].all()
    grey0, grey1 = (cv2.cvtColor(i, cv2.COLOR_BGR2GRAY)[60:180, 80:240].astype(float) for i in (warped, image1))
    shift, _ = cv2.phaseCorrelate(grey0, grey1)
    assert np.abs(shift).max() < 0.03  # pixels


def test_a_texture_is_read_at_its_texel_centres():
    """A camera in front of a wall, one texel a pixel: the image is the texture."""
    picture = texture(Surface.CRATE, SIZE, 1)
    camera = CameraModel.from_matrix([[100, 0, 159.5], [0, 100, 119.5], [0, 0, 1]], SIZE)
    seen = render([wall(picture, 2.0, (6.4, 4.8))], pose(), camera)
    assert np.abs(seen.image[2:-2, 2:-2].astype(int) - picture[2:-2, 2:-2]).max() <= 1
    assert seen.depth == pytest.approx(np.full((240, 320), 2.0), rel=1e-6)


def test_depth_is_z_and_not_the_length_of_the_ray():
    assert render([wall(WHITE)], pose((1, 0, 0))).depth == pytest.approx(np.full((240, 320), 2.0), rel=1e-6)


def test_covers_the_area_that_geometry_says():
    """A square turned by 30 degrees: its image has the area side^2 f_x f_y / d^2, to the quarter of a pixel."""
    side, turn = 0.7, np.radians(30)
    right, down = np.array([0, -np.cos(turn), -np.sin(turn)]), np.array([0, np.sin(turn), -np.cos(turn)])
    quad = Quad(np.array([2.0, 0, 0]) - (right + down) * side / 2, right * side, down * side, WHITE)
    seen = render([quad], pose())
    area = side**2 * K[0, 0] * K[1, 1] / 2.0**2
    assert seen.image[..., 0].sum() / 255 == pytest.approx(area, rel=2e-3)
    assert (seen.depth > 0).sum() == pytest.approx(area, rel=5e-3)


@pytest.mark.parametrize("shift_px", [0.0, 0.3, 0.55, 0.8])
def test_borders_are_smooth(shift_px):
    """The width of a vertical bar, counted in grey levels, is right to the quarter of a pixel."""
    width_px = 40.0 + shift_px
    quad = facing((2.0, 0, 0), AHEAD, UP, (width_px * 2.0 / K[0, 0], 2.0), WHITE)
    row = render([quad], pose()).image[120, :, 0] / 255
    assert row.sum() == pytest.approx(width_px, abs=0.26)


# Visibility


def test_what_is_in_front_hides_what_is_behind():
    red = facing((1.0, 0, 0), AHEAD, UP, (0.5, 0.5), np.full((4, 4, 3), (0, 0, 255), np.uint8))
    for quads in ([red, wall(WHITE)], [wall(WHITE), red]):
        seen = render(quads, pose())
        assert seen.image[120, 160].tolist() == [0, 0, 255]
        assert seen.depth[120, 160] == pytest.approx(1)
        assert seen.image[5, 5].tolist() == [255, 255, 255]
        assert seen.depth[5, 5] == pytest.approx(3)


@pytest.mark.parametrize(
    "quads",
    [
        [],
        [facing((3.0, 0, 0), (-1, 0, 0), UP, (2, 2), WHITE)],  # its back
        [facing((-3.0, 0, 0), AHEAD, UP, (2, 2), WHITE)],  # behind the camera
        [facing((3.0, 30, 0), AHEAD, UP, (2, 2), WHITE)],  # out of sight
        [facing((3.0, 0, 0), (0, 1, 0), UP, (2, 2), WHITE)],  # edge on
    ],
    ids=["nothing", "back", "behind", "beside", "edge on"],
)
def test_nothing_to_see(quads):
    seen = render(quads, pose())
    assert not seen.image.any()
    assert not seen.depth.any()
    assert seen.image.shape == (240, 320, 3)


def test_a_plane_that_reaches_behind_the_camera():
    """A floor 1 m below: the depth of a row at v is fy / (v - cy), the horizon is the row cy."""
    floor = facing((0, 0, -1), (0, 0, -1), AHEAD, (400, 400), WHITE)
    depth = render([floor], pose()).depth
    rows = np.arange(124, 240)
    assert depth[rows] == pytest.approx(np.tile((K[1, 1] / (rows - K[1, 2]))[:, None], SIZE[0]), rel=1e-4)
    assert not depth[:121].any()


@pytest.mark.parametrize("t", [0.0, 11.0, 23.0, 37.0, 52.0])
def test_depth_in_the_room_is_that_of_the_nearest_rectangle(scene, renderer, t):
    """All faces near the camera face it, so that seeing both sides makes no difference: boxes are closed."""
    T = Trajectory(0).at(t).T_world_from_camera
    expected = nearest_depth(scene.quads, T, pixel_rays().reshape(-1, 3)).reshape(240, 320)
    depth = renderer.render(T).depth
    assert np.isfinite(expected).all()
    wrong = np.abs(depth - expected) > 1e-4 * expected
    assert wrong.mean() < 1e-4  # rays through an edge may go either way


def test_depth_carries_colours_from_view_to_view(renderer):
    trajectory = Trajectory(0)
    T0, T1 = trajectory.at(20.0).T_world_from_camera, trajectory.at(20.4).T_world_from_camera
    first, second = renderer.render(T0), renderer.render(T1)
    points = pixel_rays() * first.depth[..., None]  # (H, W, 3)
    T = np.linalg.inv(T1) @ T0
    moved = points @ T[:3, :3].T + T[:3, 3]
    x, y = (np.moveaxis(moved / moved[..., 2:] @ K.T, -1, 0)[:2]).astype(np.float32)
    carried = cv2.remap(second.image, x, y, cv2.INTER_LINEAR)
    depth_there = cv2.remap(second.depth, x, y, cv2.INTER_NEAREST)
    visible = (np.abs(depth_there - moved[..., 2]) < 0.01) & (x > 1) & (x < 318) & (y > 1) & (y < 238)
    assert visible.mean() > 0.7
    difference = np.abs(carried.astype(float) - first.image).max(-1)[visible]
    assert np.median(difference) < 4
    assert (difference > 30).mean() < 0.02


# Lens


def checkerboard(side=48, across=16, down=12):
    squares = np.indices((down, across)).sum(0) % 2
    picture = np.kron(squares * 200 + 30, np.ones((side, side))).astype(np.uint8)
    return np.dstack([picture] * 3)


@pytest.mark.parametrize("D", [D_TUM, (-0.28, 0.07, 0.0005, -0.0003), None], ids=["of a Kinect", "barrel", "none"])
def test_lens_distortion_is_that_of_opencv(D):
    """Corners of a tilted checkerboard appear where cv2.projectPoints puts them."""
    size = (640, 480)
    camera = CameraModel.from_matrix(np.diag([2, 2, 1]) @ K, size, D)
    quad, T = wall(checkerboard(), 2.0, (3.2, 2.4)), pose((0.2, 0.1, 0), (0.1, -0.2, 0.1))
    grey = cv2.cvtColor(render([quad], T, camera).image, cv2.COLOR_BGR2GRAY)
    i, j = (axis.reshape(-1, 1) for axis in np.meshgrid(np.arange(1, 16), np.arange(1, 12)))
    corners = quad.origin + i / 16 * quad.u + j / 12 * quad.v
    T_camera_from_world = np.linalg.inv(T)
    rotation = cv2.Rodrigues(T_camera_from_world[:3, :3])[0]
    coefficients = np.zeros(5) if D is None else np.array(D)
    expected, _ = cv2.projectPoints(corners, rotation, T_camera_from_world[:3, 3], camera.K, coefficients)
    expected = expected.reshape(-1, 2)
    expected = expected[((expected > 12) & (expected < np.array(size) - 12)).all(1)]
    assert len(expected) > 60
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4)
    start = expected[:, None].astype(np.float32) + 0.7
    found = cv2.cornerSubPix(grey, start, (4, 4), (-1, -1), stop).reshape(-1, 2)
    error = np.linalg.norm(found - expected, axis=1)
    assert np.median(error) < 0.05
    assert error.max() < 0.25


def test_a_lens_that_folds_over_is_refused():
    camera = CameraModel.from_matrix(K, SIZE, (-2.5, 0, 0, 0, 0))
    with pytest.raises(CalibrationError, match=r"lens: got plumb_bob \[-2.5"):
        Renderer(Scene(()), camera)


# Filtering


def test_fine_detail_far_away_becomes_grey():
    """A checkerboard of 3 squares a pixel has no pattern left, and no moire."""
    board = np.dstack([(np.indices((2400, 3200)).sum(0) % 2 * 255).astype(np.uint8)] * 3)
    image = render([wall(board, 8.0, (32, 24))], pose(turn=(0, 0.3, 0.1))).image
    assert image.std() < 2
    assert image.mean() == pytest.approx(127.5, abs=2)


def test_equals_many_samples_a_pixel(scene, renderer):
    """Against 36 samples a pixel, averaged."""
    factor = 6
    fine_K = K * [[factor], [factor], [1]]
    fine_K[:2, 2] = (K[:2, 2] + 0.5) * factor - 0.5
    fine = Renderer(scene, CameraModel.from_matrix(fine_K, (SIZE[0] * factor, SIZE[1] * factor)))
    for t in (5.0, 31.0):
        T = Trajectory(0).at(t).T_world_from_camera
        reference = cv2.resize(fine.render(T).image, SIZE, interpolation=cv2.INTER_AREA)
        assert cv2.PSNR(renderer.render(T).image, reference) > 36


# Input


def test_the_same_pose_gives_the_same_image(renderer):
    T = Trajectory(0).at(9.0).T_world_from_camera
    first, other, again = renderer.render(T), renderer.render(pose((0, 0, 1.5))), renderer.render(T)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.depth, again.depth)
    assert not np.array_equal(first.image, other.image)
    assert first.image.dtype == np.uint8
    assert first.depth.dtype == np.float32


@pytest.mark.parametrize(
    ("T", "message"),
    [
        (np.eye(3), "wanted 4 x 4 finite numbers"),
        (np.full((4, 4), np.nan), "wanted 4 x 4 finite numbers"),
        (np.diag([2.0, 1, 1, 1]), "wanted a rigid transform"),
        (np.diag([1.0, 1, -1, 1]), "wanted a rigid transform"),
        (np.ones((4, 4)), "wanted a rigid transform"),
    ],
)
def test_refuses_what_is_no_pose(T, message):
    with pytest.raises(InputError, match=message):
        render([], T)


def test_refuses_an_image_without_extent():
    with pytest.raises(CalibrationError, match="image size: got 1x240"):
        Renderer(Scene(()), CameraModel.from_matrix(K, (1, 240)))


def test_refuses_more_rectangles_than_it_can_number():
    with pytest.raises(ConfigurationError, match="got 4001 rectangles"):
        Renderer(Scene((wall(WHITE),) * 4001), CAMERA)
