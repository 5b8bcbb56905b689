"""What the tests of sentiment data write: files in the form of CMU-MultimodalSDK."""

import h5py
import numpy as np


def write_csd(path, sequences, root=None):
    """Write a computational sequence: features by key, with intervals that say nothing."""
    with h5py.File(path, "w") as file:
        group = file.create_group(f"{root or path.stem}/data")
        for key, values in sequences.items():
            group[f"{key}/features"] = values
            group[f"{key}/intervals"] = np.zeros((len(values), 2))
    return path
