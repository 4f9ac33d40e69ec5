"""Eigen-CAM by its definition."""

import numpy as np
import torch

from convscope.attribution.eigen_cam import principal_component


def test_eigen_cam_finds_the_direction_along_which_positions_differ_most() -> None:
    rng = np.random.default_rng(0)
    where = rng.uniform(size=(6, 5))
    direction = np.array([3.0, 1.0, 0.0, 2.0])
    maps = direction[:, None, None] * where + 0.01 * rng.normal(size=(4, 6, 5))
    found = principal_component(torch.tensor(maps[None], dtype=torch.float32)).numpy()
    assert np.corrcoef(found.ravel(), where.ravel())[0, 1] > 0.999
