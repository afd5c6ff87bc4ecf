# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Other projects' LightGlue with the same weights, at full depth and width: kornia, transformers, ONNX Runtime.

Only kornia is a dependency; who wants the others installs them.
"""

from __future__ import annotations

import importlib
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.lightglue import LightGlue, Points
from lightmatch_ros.core.lightglue.assignment import log_assignment
from lightmatch_ros.evaluation.bench import transformers_weights
from lightmatch_ros.evaluation.bench.contestants import Answer, Contestant, Job
from lightmatch_ros.evaluation.bench.workload import FILTER_THRESHOLD

PEERS = ("kornia", "kornia-compiled", "transformers", "onnxruntime")
# Lengths that kornia pads to by default; the benchmark's own come on top, so that it pads no more than it has to.
_KORNIA_LENGTHS = (256, 512, 768, 1024, 1280, 1536)


class Kornia(Contestant):
    """kornia.feature.LightGlue as it comes: eager."""

    def __init__(self, network: LightGlue, device: torch.device, counts: Sequence[int]) -> None:
        from kornia.feature import LightGlue as Peer

        a = network.architecture
        self.name = self.engine = "kornia"
        self._peer = Peer(
            None, input_dim=a.input_dim, descriptor_dim=a.descriptor_dim, num_heads=a.num_heads, n_layers=a.n_layers,
            add_scale_ori=a.scale_orientation, scale_coef=a.scale_coef, filter_threshold=FILTER_THRESHOLD,
            depth_confidence=-1, width_confidence=-1,
        )  # fmt: skip
        self._peer.load_state_dict({**self._peer.state_dict(), **network.state_dict()})
        self._peer.eval().requires_grad_(False).to(device)

    def job(self, points0: Points, points1: Points) -> Job:
        """See `Contestant.job`."""
        data = {"image0": self._image(points0), "image1": self._image(points1)}

        def match() -> Answer:
            with torch.inference_mode():
                out = self._peer(data)
            indices0, indices1 = out["matches"][0].T
            return Answer(indices0, indices1, int(out["stop"]))

        return match

    def _image(self, points: Points) -> dict[str, Tensor | None]:
        return {
            "keypoints": points.keypoints[None],
            "descriptors": points.descriptors[None],
            "image_size": points.keypoints.new_tensor(points.size)[None],
            "scales": None if points.scales is None else points.scales[None],
            "oris": None if points.orientations is None else points.orientations[None],
        }


class KorniaCompiled(Kornia):
    """The same after its own `compile`: layers padded to fixed lengths, with masks."""

    compiles = True

    def __init__(self, network: LightGlue, device: torch.device, counts: Sequence[int]) -> None:
        super().__init__(network, device, counts)
        self.name = self.engine = "kornia-compiled"
        self._peer.compile(static_lengths=sorted({*_KORNIA_LENGTHS, *counts}))


class Transformers(Contestant):
    """The matcher of transformers' LightGlueForKeypointMatching, without its detector; the shorter image is padded."""

    name = engine = "transformers"

    def __init__(self, network: LightGlue, device: torch.device, counts: Sequence[int]) -> None:
        library: Any = importlib.import_module("transformers")
        a = network.architecture
        if a.scale_orientation:
            raise ConfigurationError("transformers: its LightGlue knows no scales and orientations")
        config = library.LightGlueConfig(
            keypoint_detector_config=library.SuperPointConfig(descriptor_decoder_dim=a.input_dim),
            descriptor_dim=a.descriptor_dim, num_hidden_layers=a.n_layers, num_attention_heads=a.num_heads,
            depth_confidence=-1.0, width_confidence=-1.0, filter_threshold=FILTER_THRESHOLD,
        )  # fmt: skip
        self._layers = a.n_layers
        self._peer = library.LightGlueForKeypointMatching(config).eval().requires_grad_(False)
        detector = {k: v for k, v in self._peer.state_dict().items() if k.startswith("keypoint_detector.")}
        self._peer.load_state_dict({**detector, **transformers_weights.convert(network)})
        self._peer.to(device)

    def job(self, points0: Points, points1: Points) -> Job:
        """See `Contestant.job`."""
        length = max(len(points0), len(points1))
        images = [(_padded(p.keypoints, length), _padded(p.descriptors, length)) for p in (points0, points1)]
        keypoints, descriptors = (torch.stack(tensors)[None] for tensors in zip(*images, strict=True))
        mask = torch.stack([torch.arange(length) < len(p) for p in (points0, points1)])[None].to(keypoints.device)
        width, height = points0.size

        def match() -> Answer:
            with torch.inference_mode():
                # The matcher alone has no public entrance: forward begins with the detector.
                matches = self._peer._match_image_pair(keypoints, descriptors, height, width, mask=mask.int())[0]
            found = matches.reshape(2, -1)[0, : len(points0)]
            indices0 = (found >= 0).nonzero().squeeze(1)
            return Answer(indices0, found[indices0], self._layers)

        return match


class OnnxRuntime(Contestant):
    """The reference network, exported to ONNX with free numbers of points, in ONNX Runtime's own optimisation."""

    name = engine = "onnxruntime"

    def __init__(self, network: LightGlue, device: torch.device, counts: Sequence[int]) -> None:
        onnxruntime: Any = importlib.import_module("onnxruntime")
        self._network = network
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        wanted = ["CUDAExecutionProvider"] if device.type == "cuda" else ["CPUExecutionProvider"]
        if not set(wanted) <= set(onnxruntime.get_available_providers()):
            raise ImportError(f"onnxruntime has no {wanted[0]}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "lightglue.onnx"
            export_onnx(network, path)
            self._session = onnxruntime.InferenceSession(str(path), options, providers=wanted)

    def job(self, points0: Points, points1: Points) -> Job:
        """See `Contestant.job`."""
        names = [found.name for found in self._session.get_inputs()]
        values = [t for p in (points0, points1) for t in (self._network.positions(p), p.descriptors)]
        given = {name: value.cpu().numpy() for name, value in zip(names, values, strict=True)}

        def match() -> Answer:
            best1, best0, scores = (torch.from_numpy(array) for array in self._session.run(None, given))
            good = (best0[best1] == torch.arange(len(best1))) & (scores > FILTER_THRESHOLD)
            indices0 = good.nonzero().squeeze(1)
            return Answer(indices0, best1[indices0], self._network.architecture.n_layers)

        return match


class _Exported(nn.Module):
    """A match at full depth as a graph: from positions and descriptors to each point's best and its score."""

    def __init__(self, network: LightGlue) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, positions0: Tensor, descriptors0: Tensor, positions1: Tensor, descriptors1: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        network = self.network
        # One pair as a batch: the exporter knows attention of four dimensions alone.
        x0, x1 = network.input_proj(descriptors0[None]), network.input_proj(descriptors1[None])
        encoding0, encoding1 = network.posenc(positions0[None]), network.posenc(positions1[None])
        for layer in network.transformers:
            x0, x1 = layer(x0, x1, encoding0, encoding1)
        log_scores = log_assignment(*network.head(network.architecture.n_layers - 1)(x0[0], x1[0]))
        best = log_scores.max(1)
        return best.indices, log_scores.argmax(0), best.values.exp()


def export_onnx(network: LightGlue, path: Path) -> None:
    """Writes a network at full depth as ONNX.

    Raises:
        ImportError: onnx or onnxscript is not installed.
    """
    a = network.architecture
    free0, free1 = torch.export.Dim("count0", min=2), torch.export.Dim("count1", min=2)
    counts = (24, 24, 16, 16)
    widths = (a.position_dim, a.input_dim) * 2
    example = tuple(torch.rand(count, width) for count, width in zip(counts, widths, strict=True))
    shapes = ({0: free0}, {0: free0}, {0: free1}, {0: free1})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        torch.onnx.export(
            _Exported(network).eval().cpu(), example, str(path), dynamo=True, dynamic_shapes=shapes, verbose=False
        )


_BUILDERS: dict[str, Callable[[LightGlue, torch.device, Sequence[int]], Contestant]] = dict(
    zip(PEERS, (Kornia, KorniaCompiled, Transformers, OnnxRuntime), strict=True)
)


def build_peer(name: str, network: LightGlue, device: torch.device, counts: Sequence[int]) -> Contestant:
    """Builds a peer by its name in `PEERS`.

    Args:
        name: of the peer.
        network: whose weights it gets.
        device: where it runs.
        counts: numbers of points that it will see.

    Raises:
        ConfigurationError: no such peer, or one that cannot have these weights.
        ImportError: it is not installed here.
    """
    if name not in _BUILDERS:
        raise ConfigurationError(f"peer {name!r}, wanted one of {', '.join(PEERS)}")
    return _BUILDERS[name](network, device, counts)


def _padded(rows: Tensor, length: int) -> Tensor:
    return torch.cat([rows, rows.new_zeros(length - len(rows), rows.shape[1])])
