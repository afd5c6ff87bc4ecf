# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import argparse

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from lightmatch_ros.core.errors import WeightsError
from lightmatch_ros.core.lightglue import Architecture, LightGlue, Points, load_network
from training import confidence, evaluate, export, generate, passes, state, train
from training.dataset import PairSampler, assemble, load_cache, validation_batches
from training.features import extract, root_sift
from training.initialise import whole_frequencies
from training.metrics import auc, corner_error, ratio_matches, tally_batch

SMALL = Architecture(128, 32, 2, 2, True, 1.0, "log2")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Tensors this small only lose by threads, and much so on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory):
    """Pools of four pictures made of blobs, training and validation alike."""
    photos, folder = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("cache")
    rng = np.random.default_rng(0)
    for k in range(4):
        image = np.full((160, 200), 128, np.uint8)
        for _ in range(150):
            centre = tuple(int(v) for v in rng.uniform(0, 1, 2) * (200, 160))
            cv2.circle(image, centre, int(rng.integers(2, 10)), int(rng.integers(0, 255)), -1, cv2.LINE_AA)
        cv2.imwrite(str(photos / f"p{k}.png"), image)
    for split in ("train", "val"):
        (folder / split).mkdir()
        for k in range(4):
            path = photos / f"p{k}.png"
            generate.make_pool(generate.Job(folder / split / f"p{k}.npz", (path, path), False, 4, 80, seed=k))
    return folder


@pytest.fixture(scope="module")
def cache(cache_folder):
    return load_cache(cache_folder / "train")


def arguments(tmp_path):
    return argparse.Namespace(bf16=False, log_every=1000, save_minutes=1000, output=tmp_path, validation=None)


def start(cache, seed=0):
    return state.new_run(train.first_network(SMALL, cache, seed), 1e-3)


def steps(run, sampler, cache, count, recipe):
    for _ in range(count):
        train.train_step(run, assemble(cache, sampler.choose(4, 48)), recipe, autocast=False)


def test_jobs_split_by_name_and_skip_what_is_there(tmp_path, cache_folder):
    photos = tmp_path / "photos"
    photos.mkdir()
    for k in range(40):
        (photos / f"{k}.jpg").touch()
    args = argparse.Namespace(photos=photos, cache=tmp_path / "cache", scenes=3, views=2, keypoints=9, seed=0)
    jobs = generate.jobs(args)
    val = {j.output.stem for j in jobs if j.output.parent.name == "val"}
    assert 0 < len(val) < 12
    assert not val & {j.output.stem for j in jobs if j.output.parent.name == "train" and not j.is_scene}
    for job in jobs:  # no photograph serves both
        assert {p.stem in val for p in job.photos} == {job.output.parent.name == "val"}
    jobs[0].output.touch()
    assert [j.output for j in generate.jobs(args)] == [j.output for j in jobs[1:]]


def test_cached_features_are_those_of_the_package():
    from lightmatch_ros.core.features.sift import SiftExtractor

    image = np.random.default_rng(0).integers(0, 255, (40, 60)).astype(np.uint8)
    image = cv2.resize(image, (240, 160), interpolation=cv2.INTER_CUBIC)
    ours, theirs = extract(image, 60), SiftExtractor(torch.device("cpu"), 60).extract(image)
    descriptors = root_sift(torch.from_numpy(ours.descriptors)).numpy()
    one = np.column_stack([ours.geometry, descriptors])
    two = np.column_stack([theirs.keypoints, theirs.scales, theirs.orientations, theirs.descriptors.numpy()])
    # Two orientations of one place have equal responses and any order.
    one, two = (table[np.lexsort(table[:, [3, 2, 1, 0]].round(3).T)] for table in (one, two))
    np.testing.assert_allclose(one, two, atol=1e-4)


def test_batch_passes_equal_the_package_network():
    torch.manual_seed(0)
    network = LightGlue(SMALL).eval()
    sides = [
        Points(torch.rand(20, 2) * 2, torch.rand(20, 128), (2, 2), 1 + torch.rand(20) * 9, torch.rand(20) * 6)
        for _ in range(2)
    ]
    x0, e0 = network.embed(sides[0])
    x1, e1 = network.embed(sides[1])
    fields = ("keypoints", "descriptors", "scales", "orientations")
    stacked = {f: torch.stack([getattr(s, f) for s in sides]).unsqueeze(1) for f in fields}
    for layer, x in zip(network.transformers, passes.states(network, Points(size=(2, 2), **stacked)), strict=True):
        x0, x1 = layer(x0, x1, e0, e1)
        torch.testing.assert_close(x[:, 0], torch.stack([x0, x1]), atol=1e-5, rtol=1e-5)


def test_labels_of_a_batch_are_geometry(cache):
    batch = assemble(cache, PairSampler(cache, 0).choose(6, 48))
    for i in range(6):
        if not batch.is_plane[i]:
            continue
        P = batch.P[:, i].double().numpy()[..., [0, 1, 3]]
        H = P[1] @ np.linalg.inv(P[0])
        found = batch.labels.matches0[i].numpy()
        points0 = batch.pixels[0, i].numpy()[found >= 0]
        points1 = batch.pixels[1, i].numpy()[found[found >= 0]]
        there = cv2.perspectiveTransform(points0[:, None].astype(np.float64), H)[:, 0]
        assert (np.linalg.norm(there - points1, axis=1) < 3.01).all()


def test_training_overfits_a_batch(cache):
    run, recipe = start(cache), train.Recipe(1)
    batch = assemble(cache, PairSampler(cache, 0).choose(4, 48))
    losses = [train.train_step(run, batch, recipe, autocast=False).mean().item() for _ in range(60)]
    assert losses[-1] < 0.35 * losses[0]


def test_orientation_frequencies_stay_whole(cache):
    run = start(cache)
    steps(run, PairSampler(cache, 0), cache, 3, train.Recipe(1))
    torch.testing.assert_close(run.network.posenc.Wr.weight[:, 3], whole_frequencies(8))


def test_resumed_run_goes_on_as_if_never_stopped(cache, tmp_path):
    recipe = train.Recipe(1)
    whole, whole_sampler = start(cache), PairSampler(cache, 5)
    steps(whole, whole_sampler, cache, 4, recipe)
    first, first_sampler = start(cache), PairSampler(cache, 5)
    steps(first, first_sampler, cache, 2, recipe)
    state.save(first, first_sampler, tmp_path / "last.pt")
    second, second_sampler = start(cache, seed=9), PairSampler(cache, 6)
    state.resume(second, second_sampler, tmp_path / "last.pt")
    steps(second, second_sampler, cache, 2, recipe)
    assert (second.step, second.pairs) == (whole.step, whole.pairs)
    for name, value in whole.average.state_dict().items():
        torch.testing.assert_close(second.average.state_dict()[name], value, msg=name)


def test_schedule_rises_and_falls():
    recipe = train.Recipe(10, learning_rate=1.0, warmup=0.1)
    assert recipe.rate(0.05) == pytest.approx(0.5)
    assert recipe.rate(0.1) == pytest.approx(1.0)
    assert recipe.rate(0.55) == pytest.approx(0.505)
    assert recipe.rate(1.0) == pytest.approx(0.01)


def test_fit_trains_until_the_time_is_up(cache, tmp_path):
    run = start(cache)
    recipe = train.Recipe(0.005, batch_keypoints=96, early_keypoints=(48,), late_keypoints=(24, 48))
    train.fit(run, cache, PairSampler(cache, 0), recipe, arguments(tmp_path))
    assert run.step > 1
    assert run.pairs >= 2 * run.step
    assert 0.3 <= run.elapsed_s < 10
    assert state.load_average(tmp_path / "last.pt").architecture == SMALL


def test_more_keypoints_than_any_view_has_is_an_error(cache):
    with pytest.raises(ValueError, match="5000"):
        PairSampler(cache, 0).choose(1, 5000)


def test_confidence_learns_agreement(cache):
    network = train.first_network(SMALL, cache, 0)
    batch = assemble(cache, PairSampler(cache, 0).choose(4, 48))
    before, _ = confidence.heads_loss(network, batch)
    optimizer = torch.optim.AdamW(network.token_confidence.parameters(), lr=3e-2)
    for _ in range(40):
        optimizer.zero_grad()
        loss, _ = confidence.heads_loss(network, batch)
        loss.backward()
        optimizer.step()
    assert loss < before
    assert all(p.grad is None for n, p in network.named_parameters() if not n.startswith("token_confidence"))


def test_agreement_compares_with_the_last_layer():
    def layer(row):
        return torch.tensor([row]), torch.tensor([row])

    agrees = confidence.agreement([layer([0, 1, -1]), layer([0, -1, -1])])
    assert len(agrees) == 1
    assert agrees[0][0].tolist() == [[True, False, True]]


def test_exported_weights_come_back(tmp_path, cache):
    network = train.first_network(SMALL, cache, 0)
    path = tmp_path / "weights.safetensors"
    export.export(network.state_dict(), path, {"seed": "0"})
    loaded = load_network(load_file(str(path)), scale_encoding="log2")
    assert loaded.architecture == SMALL
    for name, value in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, msg=name)
    with safe_open(str(path), "pt") as file:
        metadata = file.metadata()
    assert metadata["features"] == "sift"
    assert (metadata["scale_coef"], metadata["scale_encoding"], metadata["seed"]) == ("1.0", "log2", "0")


def test_export_refuses_what_would_not_load(tmp_path):
    with pytest.raises(WeightsError):
        export.export({"a": torch.zeros(1)}, tmp_path / "weights.safetensors", {})


def test_first_weights_match_nearest_descriptors(cache):
    """Before training it is about as good as the ratio test."""
    network = train.first_network(Architecture(128, 96, 2, 2, True, 1.0, "log2"), cache, 0)
    batches = list(validation_batches(cache, 16, 48, seed=0))
    first = sum(tally_batch(passes.matches_by_layer(network, b.points)[-1][0], b).recalled for b in batches)
    ratio = sum(tally_batch(ratio_matches(b), b).recalled for b in batches)
    assert first > 0.7 * ratio > 0


def test_evaluation_has_a_row_for_each_layer(tmp_path, cache_folder):
    cache = load_cache(cache_folder / "val")
    state.save(start(cache), PairSampler(cache, 0), tmp_path / "last.pt")
    scores = evaluate.evaluate(tmp_path / "last.pt", validation_batches(cache, 8, 48, seed=0))
    assert list(scores) == ["ratio 0.8, mutual", "layer 1", "layer 2"]
    assert evaluate.table(scores).row_count == 3


def test_corner_error_of_exact_points_is_zero_and_of_none_infinite():
    H = np.array([[1.0, 0.1, 5], [0, 1, -3], [1e-4, 0, 1]])
    points = np.random.default_rng(0).uniform(0, 100, (30, 1, 2))
    moved = cv2.perspectiveTransform(points, H)[:, 0].astype(np.float32)
    assert corner_error(points[:, 0].astype(np.float32), moved, H, (100, 100)) < 1e-2
    assert corner_error(np.empty((0, 2), np.float32), np.empty((0, 2), np.float32), H, (100, 100)) == np.inf


def test_area_under_the_curve():
    # One of two errors under the threshold: recall rises to 1/2 at 1 px and stays there up to 2 px.
    assert auc([1.0, np.inf], 2.0) == pytest.approx((0.25 + 0.5) / 2)
    assert auc([0.0, 0.0], 1.0) == pytest.approx(1.0)
    assert auc([], 1.0) == 0.0
