# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The CPU engine's parts against their definitions in float64: kernels, folded weights, assignment without a matrix."""

import engine_scenes as scenes
import pytest
import torch
import torch.nn.functional as F

from lightmatch_ros.core.engine import Precision, assignment, native
from lightmatch_ros.core.engine.folded import fold
from lightmatch_ros.core.engine.kernels import TorchKernels, rotary
from lightmatch_ros.core.engine.malloc import keep_freed_memory
from lightmatch_ros.core.engine.native import library as native_library
from lightmatch_ros.core.engine.product import DTYPE, Product, cpu_multiplies_bf16
from lightmatch_ros.core.lightglue.assignment import log_assignment, mutual_matches
from lightmatch_ros.core.lightglue.layers import rotate

# A bfloat16 has 8 bits: a rounding is 2^-9 of the value.
TOLERANCE = {Precision.FP32: 2e-5, Precision.BF16: 4e-2}
PRECISIONS = list(Precision)


def all_kernels(precision: Precision) -> list:
    try:
        return [TorchKernels(), native.load_kernels(precision, 16)]
    except native.NativeBuildError:
        return [TorchKernels()]


def close(got: torch.Tensor, wanted: torch.Tensor, precision: Precision) -> None:
    torch.testing.assert_close(got.double(), wanted.double(), atol=TOLERANCE[precision], rtol=TOLERANCE[precision])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("heads", "channels"), [(4, 64), (2, 48), (1, 96), (3, 16), (1, 32), (2, 80)])
def test_attention_is_the_softmax_mean(precision, heads, channels):
    generator = torch.Generator().manual_seed(channels)
    for queries, keys in [(1, 1), (0, 5), (5, 3), (6, 64), (7, 65), (13, 130), (300, 63), (257, 1025)]:
        # As the engine passes them: heads beside each other in the rows of one product.
        q = torch.randn(queries, 2 * heads, channels, generator=generator).to(DTYPE[precision])[:, heads:]
        kv = torch.randn(keys, 2 * heads, channels, generator=generator).to(DTYPE[precision])
        k, v = kv[:, :heads] * (2 * channels**-0.5), kv[:, heads:]
        weights = torch.einsum("mhc,nhc->hmn", q.double(), k.double()).softmax(-1)
        wanted = torch.einsum("hmn,nhc->mhc", weights, v.double())
        for kernels in all_kernels(precision):
            room = torch.full((queries, 2, heads, channels), torch.nan, dtype=DTYPE[precision])
            kernels.attend(q, k, v, room[:, 1])
            close(room[:, 1], wanted, precision)
            assert room[:, 0].isnan().all(), "wrote beside its place"


@pytest.mark.parametrize("precision", PRECISIONS)
def test_attention_with_scores_far_below_zero(precision):
    q = torch.full((3, 1, 16), 8.0, dtype=DTYPE[precision])
    k, v = torch.full((70, 1, 16), -8.0, dtype=DTYPE[precision]), torch.ones(70, 1, 16, dtype=DTYPE[precision])
    for kernels in all_kernels(precision):
        out = torch.empty_like(q)
        kernels.attend(q, k, v, out)  # every score is -1,024
        close(out, torch.ones_like(q), precision)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("width", [16, 80, 192, 512])
def test_norm_gelu_is_torch_s(precision, width):
    generator = torch.Generator().manual_seed(width)
    x = (4 * torch.randn(37, width, generator=generator) + 1).to(DTYPE[precision])
    scale, shift = torch.randn(2, width, generator=generator)
    wanted = F.gelu(F.layer_norm(x.double(), (width,), scale.double(), shift.double()))
    for kernels in all_kernels(precision):
        close(kernels.norm_gelu(x.clone(), scale, shift), wanted, precision)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("channels", [16, 48, 64])
def test_rotation_turns_channel_pairs_by_the_angles(precision, channels):
    generator = torch.Generator().manual_seed(channels)
    angles = 6 * torch.rand(9, channels // 2, generator=generator)
    heads = torch.randn(9, 5, channels, generator=generator).to(DTYPE[precision])
    pairs = torch.complex(*heads[:, :3].double().chunk(2, -1)) * torch.polar(
        torch.ones(9, 1, channels // 2).double(), angles.unsqueeze(1).double()
    )
    for kernels in all_kernels(precision):
        got = heads.clone()
        kernels.rotate(got[:, :3], rotary(angles, DTYPE[precision]))
        close(got[:, :3], torch.cat([pairs.real, pairs.imag], -1), precision)
        assert torch.equal(got[:, 3:], heads[:, 3:])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_add_rounds_only_the_copy(precision):
    states, update = torch.randn(2, 7, 40)
    update = update.to(DTYPE[precision])
    for kernels in all_kernels(precision):
        got, low = states.clone(), torch.empty(7, 40, dtype=DTYPE[precision])
        kernels.add(got, update, low)
        torch.testing.assert_close(got, states + update.float())
        assert torch.equal(low, got.to(DTYPE[precision]))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_products_for_any_number_of_rows(precision):
    network = scenes.sharp_network(scenes.ARCHITECTURES["bundled"])
    affine = fold(network)[0].self_block.project
    for rows in (1, 2, 65):
        x = torch.randn(rows, 96).to(DTYPE[precision])
        wanted = x.double() @ affine.weight.double().T + affine.bias.double()
        close(Product(affine, precision)(x), wanted, precision)


def test_folding_changes_no_update():
    network = scenes.sharp_network(scenes.ARCHITECTURES["superpoint"]).double()
    block, folded = network.transformers[1].self_attn, fold(network.float())[1].self_block
    x, context = torch.randn(2, 11, 256)
    with torch.no_grad():
        wanted = block.ffn[0](torch.cat([x, block.out_proj(context)], -1))
    got = torch.cat([x, context], -1) @ folded.update_in.weight.T + folded.update_in.bias
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)


def test_folding_keeps_the_attention_s_scores():
    network = scenes.sharp_network(scenes.ARCHITECTURES["superpoint"])
    block, folded = network.transformers[0].self_attn, fold(network)[0].self_block
    x, angles = torch.randn(9, 256), torch.rand(9, 32)
    with torch.no_grad():
        encoding = torch.stack([angles.cos(), angles.sin()]).repeat_interleave(2, -1).unsqueeze(1)
        q, k, _ = block.Wqkv(x).unflatten(-1, (4, -1, 3)).transpose(0, 1).unbind(-1)  # (H, 9, 64)
        wanted = rotate(q, encoding) @ rotate(k, encoding).mT / 8
        projected = (x @ folded.project.weight.T + folded.project.bias).view(9, 12, 64)
        TorchKernels().rotate(projected[:, :8], rotary(angles, torch.float32))
    got = torch.einsum("mhc,nhc->hmn", projected[:, :4], projected[:, 4:8])
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (40, 70), (129, 60), (300, 257)])
def test_assignment_is_the_matrix_s(monkeypatch, shape):
    generator = torch.Generator().manual_seed(sum(shape))
    projected0, projected1 = (3 * torch.randn(n, 24, generator=generator) for n in shape)
    projected1[: min(shape)] = projected0[: min(shape)] + 0.1 * projected1[: min(shape)]
    logits0, logits1 = (torch.randn(n, generator=generator) for n in shape)
    wanted = mutual_matches(log_assignment(projected0 @ projected1.T, logits0, logits1), 0.05)
    assert min(shape) < 40 or len(wanted[2]) > 5
    for largest in (assignment.WHOLE_ELEMENTS, 0):
        monkeypatch.setattr(assignment, "WHOLE_ELEMENTS", largest)
        monkeypatch.setattr(assignment, "BLOCK_ROWS", 8)
        for kernels in all_kernels(Precision.FP32):
            got = assignment.best_matches(projected0, projected1, logits0, logits1, 0.05, kernels)
            assert torch.equal(got[0], wanted[0]) and torch.equal(got[1], wanted[1])
            # Similarities come to 200, where a float32 is 1.5e-5 off.
            torch.testing.assert_close(got[2], wanted[2], atol=0, rtol=5e-5)


def test_assignment_among_equals_takes_the_first():
    for kernels in all_kernels(Precision.FP32):
        values, best1, best0 = kernels.assign(torch.full((35, 50), 7.0), torch.zeros(35), torch.zeros(50))
        assert not best1.any() and not best0.any()
        # Softmax 1/50 of the row, 1/35 of the column, both matchabilities 1/2.
        torch.testing.assert_close(values, torch.full((35,), 1 / (50 * 35 * 4)).log())


def test_assignment_with_similarities_far_apart():
    similarity = torch.tensor([[200.0, -300.0, 0.0], [-300.0, 90.0, -500.0]])
    wanted = log_assignment(similarity.double(), torch.zeros(2).double(), torch.zeros(3).double())
    for kernels in all_kernels(Precision.FP32):
        values, best1, best0 = kernels.assign(similarity, torch.zeros(2), torch.zeros(3))
        assert best1.tolist() == [0, 1] and best0.tolist() == wanted.argmax(0).tolist()
        torch.testing.assert_close(values.double(), wanted.max(1).values, atol=1e-4, rtol=0)


def test_without_a_compiler_torch_serves(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CXX", "/nowhere/g++")
    with pytest.raises(native.NativeBuildError, match="/nowhere/g\\+\\+ cannot be run"):
        native.build()
    monkeypatch.setattr(native_library, "_FLAGS", ("-no-such-flag",))
    monkeypatch.delenv("CXX")
    with pytest.raises(native.NativeBuildError):
        native.build()


def test_the_library_is_compiled_once(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    try:
        built = native.build()
    except native.NativeBuildError as reason:
        pytest.skip(f"no C++ kernels here: {reason}")
    monkeypatch.setattr(native_library, "_compile", None)  # to be called no more
    assert native.build() == built and built.is_file()


def test_heads_of_odd_width_are_left_to_torch():
    with pytest.raises(native.NativeBuildError):
        native.load_kernels(Precision.FP32, 40)


def test_the_allocator_takes_its_settings():
    assert keep_freed_memory().keys() in ({"M_TRIM_THRESHOLD", "M_TOP_PAD", "M_MMAP_THRESHOLD"}, set())


def test_bf16_is_told_from_the_processor():
    assert cpu_multiplies_bf16() in (True, False)
