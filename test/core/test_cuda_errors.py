# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import logging

import pytest
import torch
from lightglue_cases import pair_of, random_network, run

from lightmatch_ros.core.engine import Precision
from lightmatch_ros.core.engine.cuda import Buckets, CudaEngine
from lightmatch_ros.core.engine.cuda.errors import device_errors
from lightmatch_ros.core.engine.cuda.factory import Factory
from lightmatch_ros.core.errors import DeviceError, DeviceLostError, DeviceMemoryError, InputError
from lightmatch_ros.core.lightglue import Adaptivity


def out_of_memory():
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore")


def test_out_of_memory_is_an_input_error():
    message = r"while matching: CUDA out of memory. Tried to allocate 2 GiB.$"
    with pytest.raises(DeviceMemoryError, match=message) as error, device_errors("matching"):
        raise out_of_memory()
    assert isinstance(error.value, InputError)


def test_lack_of_memory_is_found_behind_the_capture_that_it_ended():
    with pytest.raises(DeviceMemoryError, match="Tried to allocate 2 GiB"), device_errors("warming up"):
        try:
            raise out_of_memory()
        finally:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")


def test_lack_of_memory_that_a_library_reports():
    with pytest.raises(DeviceMemoryError, match="CUBLAS"), device_errors("matching"):
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


def test_other_cuda_errors_stop_the_program():
    message = r"restart the process: CUDA error: unspecified launch failure$"
    with pytest.raises(DeviceLostError, match=message) as error, device_errors("matching"):
        raise RuntimeError("CUDA error: unspecified launch failure\nCompile with ...")
    assert isinstance(error.value, DeviceError)


def test_errors_that_are_no_device_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"), device_errors("matching"):
        raise RuntimeError("shapes do not fit")
    with pytest.raises(DeviceMemoryError, match="inner"), device_errors("outer"), device_errors("inner"):
        raise out_of_memory()


def small_memory(monkeypatch, rows: int) -> None:
    """Makes programs for more rows than these fail as a device without memory does."""
    matcher = Factory.matcher

    def limited(self, batch, widths):
        if widths[0] > rows:
            raise out_of_memory()
        return matcher(self, batch, widths)

    monkeypatch.setattr(Factory, "matcher", limited)


def test_warm_up_goes_on_with_fewer_points(monkeypatch, caplog):
    small_memory(monkeypatch, 20)
    engine = CudaEngine(random_network(), Precision.FP32, Buckets((8, 32, 64)), batches=(1,))
    with caplog.at_level(logging.WARNING):
        engine.warm_up([60])
    assert engine.max_keypoints == 16
    assert [record.getMessage().rsplit(";", 1)[1] for record in caplog.records] == [
        " going on with at most 32 keypoints",
        " going on with at most 16 keypoints",
    ]
    run(engine, [pair_of(engine._network, 16, 9), pair_of(engine._network, 60, 9)], Adaptivity())


def test_warm_up_gives_up_below_the_smallest_bucket(monkeypatch):
    small_memory(monkeypatch, 4)
    with pytest.raises(DeviceMemoryError, match="warming up"):
        CudaEngine(random_network(), Precision.FP32, Buckets((8, 16))).warm_up([16])


def test_match_reports_lack_of_memory(monkeypatch):
    small_memory(monkeypatch, 10)
    engine = CudaEngine(random_network(), Precision.FP32, Buckets((8, 16)))
    with pytest.raises(DeviceMemoryError, match="matching"):
        run(engine, [pair_of(engine._network, 12, 12)], Adaptivity())
    assert len(run(engine, [pair_of(engine._network, 8, 8)], Adaptivity())) == 1
