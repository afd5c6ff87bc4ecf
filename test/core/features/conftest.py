# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Extractors, built once."""

import functools

import pytest
from extractor_scenes import ALL, CPU, scene

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.engine.interface import Precision
from lightmatch_ros.core.features import create_extractor


@pytest.fixture(scope="module")
def build(request):
    """Builds an extractor, from the shared weights where it has any; the same again for the same arguments."""

    @functools.cache
    def create(name, max_keypoints=ALL, resize=0, precision=Precision.FP32):
        with pytest.MonkeyPatch.context() as patch:
            if name != "sift":
                patch.setenv("LIGHTMATCH_WEIGHTS", str(request.getfixturevalue("shared_weights")))
            config = MatcherConfig(features=name, max_keypoints=max_keypoints, resize=resize)
            return create_extractor(config, CPU, precision=precision, download=False)

    return create


@pytest.fixture(scope="module")
def everything(build):
    """All features of the scene."""
    return functools.cache(lambda name: build(name).extract(scene()))
