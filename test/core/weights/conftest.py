# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Empty places in which weights are looked for."""

import os

import pytest


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Empty directories in place of the user's: the two of the environment variable, and the cache."""
    directories = {name: tmp_path / name for name in ("first", "second", "cache")}
    for directory in directories.values():
        directory.mkdir()
    listed = os.pathsep.join([str(directories["first"]), "", str(directories["second"])])
    monkeypatch.setenv("LIGHTMATCH_WEIGHTS", listed)
    monkeypatch.setenv("XDG_CACHE_HOME", str(directories["cache"]))
    directories["cache"] /= "lightmatch"
    return directories
