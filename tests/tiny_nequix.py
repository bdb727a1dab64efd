"""A tiny Nequix in the authors' file format, with weights from a fixed seed."""

import io
import json

import numpy as np

from screening.engines.nequix_file import NequixConfig

NUMBERS = (6, 8, 11, 13, 14, 17, 22, 29, 56)
HEADER = {
    "cutoff": 4.5,
    "atomic_numbers": list(NUMBERS),
    "avg_n_neighbors": 20.0,
    "scale": 0.8,
    "shift": -4.0,
    "hidden_irreps": "8x0e + 6x1o + 4x2e + 4x3o",
    "lmax": 3,
    "n_layers": 3,
    "radial_basis_size": 5,
    "radial_mlp_size": 10,
    "radial_mlp_layers": 2,
    "radial_polynomial_p": 6.0,
    "mlp_init_scale": 4.0,
    "index_weights": False,
    "layer_norm": True,
    "atom_energies": {str(number): -number / 32 for number in NUMBERS},
}


def tiny_nequix(**changes):
    """Content of the file; `changes` are made to its header."""
    header = {**HEADER, **changes}
    rng = np.random.RandomState(0)  # the same numbers in all versions of NumPy
    stream = io.BytesIO()
    stream.write((json.dumps(header) + "\n").encode())
    for name, shape in NequixConfig.from_header(HEADER).shapes():
        array = rng.normal(size=shape)
        if name == "atom_energies":
            array = np.array(list(HEADER["atom_energies"].values()))
        np.save(stream, array.astype(np.float32))
    return stream.getvalue()
