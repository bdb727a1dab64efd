"""What the emulator invents: bands, gaps, Born charges, dielectric tensors."""

import os

import numpy as np

from screening.elements import atomic_number, column


def electronic_gap(symbols):
    """Return the invented band gap (eV)."""
    if "VASP_EMULATOR_GAP" in os.environ:
        return float(os.environ["VASP_EMULATOR_GAP"])
    metal = column("is_metal")
    return 0.0 if all(metal[atomic_number(symbol)] for symbol in symbols) else 2.0


def bands(inputs):
    """Return invented eigenvalues (eV) and occupations, shape (k-points, bands), and efermi.

    Parabola-like bands 1 eV apart with their extrema at Gamma. A metal's bands are wider than that,
    so that some cross the Fermi level.
    """
    gap = electronic_gap(inputs.elements)
    n_filled = max(1, int(inputs.tags["NELECT"] // 2))
    index = np.arange(inputs.tags["NBANDS"])
    filled = index < n_filled
    wave = (1 - np.cos(2 * np.pi * inputs.kpoints)).sum(axis=1, keepdims=True) / 6
    if gap == 0:
        energies = (index - n_filled) * 1.0 + 2.5 * wave - 1.0
    else:
        energies = np.where(filled, index - n_filled + 1 - wave, index - n_filled + gap + wave)
    efermi = 0.0 if gap == 0 else gap / 2
    return energies, (energies <= efermi).astype(float), efermi


def born_charges(inputs):
    """Return invented Born charges, shape (atoms, 3, 3); they are neutral and isotropic."""
    scale = column("electronegativity")
    values = np.nan_to_num([scale[atomic_number(symbol)] for symbol in inputs.symbols], nan=2.0)
    return -(values - values.mean())[:, None, None] * np.eye(3)


def dielectric_tensor(inputs):
    """Return the invented high-frequency dielectric tensor."""
    return np.eye(3) * (1 + 4 / max(electronic_gap(inputs.elements), 0.5))
