# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Small weights, and files of them."""

import hashlib

import safetensors.torch
import torch

from lightmatch_ros.core import weights as w

TENSORS = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.zeros(2)}
CONTENT = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def entry(*files, name="own", features=("sift",), **details):
    return w.WeightsEntry(name, w.WeightsKind.MATCHER, features, files, "MIT", "https://example.org", **details)


def put(directory, name, content=CONTENT):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(content)
    return directory / name


def names(directory):
    return [path.name for path in directory.iterdir()]


def saved(path, content=None):
    content = TENSORS if content is None else content
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(content, path)
    else:
        torch.save(content, path)
    return path


def assert_same(read, wanted):
    assert read.keys() == wanted.keys()
    for key, value in wanted.items():
        torch.testing.assert_close(read[key], value, rtol=0, atol=0)
