# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The registry: what is known of the published weights."""

import pytest

from lightmatch_ros.core import weights as w
from lightmatch_ros.core.errors import WeightsError


def test_entries_are_consistent():
    for name, known in w.ENTRIES.items():
        assert known.name == name
        assert known.files and known.licence and known.features
        for file in known.files:
            assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32
            assert file.url is None or (file.url.startswith("https://") and file.url.endswith("/" + file.filename))


def test_official_matchers_have_the_settings_of_their_authors():
    """lightglue/lightglue.py of cvg/LightGlue and modules/lighterglue.py of verlab/accelerated_features."""
    for name in ("superpoint", "disk", "aliked", "sift"):
        defaults = w.get_entry(f"{name}_lightglue").defaults
        assert (defaults.depth_confidence, defaults.width_confidence, defaults.scale_coef) == (0.95, 0.99, 1)
    dog = w.get_entry("doghardnet_lightglue").defaults
    assert (dog.depth_confidence, dog.width_confidence, dog.scale_coef) == (-1, -1, 1 / 6)
    lighter = w.get_entry("xfeat-lighterglue").defaults
    assert (lighter.depth_confidence, lighter.width_confidence, lighter.filter_threshold) == (-1, 0.95, 0.1)


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(WeightsError, match="did you mean 'xfeat-lighterglue'"):
        w.get_entry("xfeat-lightergleu")


@pytest.mark.parametrize(
    ("features", "wanted"),
    [
        ("sift", ("lightmatch-sift", "sift_lightglue")),
        ("xfeat", ("xfeat-lighterglue", "xfeat-lighterglue-l3")),
        ("aliked-n16", ("aliked_lightglue",)),
        ("aliked-t16", ()),
        ("orb", ()),
    ],
)
def test_default_matchers(features, wanted):
    assert w.default_matchers(features) == wanted
    assert all(features in w.get_entry(name).features for name in wanted)


def test_filenames_are_distinct_across_entries():
    """A file is recognised by its name; two entries must not share one."""
    names = [name for known in w.ENTRIES.values() for name in known.filenames]
    assert len(names) == len(set(names))


def test_shared_files_are_known(shared_weights):
    known = [file for e in w.ENTRIES.values() for file in e.files]
    for path in sorted(shared_weights.glob("*.safetensors")):
        assert w.verify(path, known), path.name
        assert path.stat().st_size in {f.size_bytes for f in known if f.filename == path.name}
