"""EMT where GPAW would answer, and what tests look for in phonons."""

import numpy as np
from ase.calculators.emt import EMT


class Fake(EMT):
    """EMT with what a document asks of GPAW."""

    def get_ibz_k_points(self):
        return np.zeros((4, 3))

    def get_number_of_electrons(self):
        return 11.0


def highest_frequency(document):
    """Highest frequency (THz) of atomate2's phonon document, where there are states."""
    dos = document.phonon_dos
    there = np.array(dos.densities) > 0.01 * np.max(dos.densities)
    return float(np.array(dos.frequencies)[there].max())


def answer_with_emt(monkeypatch):
    """Let GPAW's Makers compute with EMT, installed or not."""
    from makers.dft import gpaw
    from screening.gpaw import document, installation

    monkeypatch.setattr(gpaw, "make_calculator", lambda *_: Fake())
    monkeypatch.setattr(gpaw, "_failures", lambda: (ZeroDivisionError,))
    monkeypatch.setattr(document, "versions", lambda: {"gpaw": "0"})
    monkeypatch.setattr(document, "_gap", lambda _: 0.0)
    monkeypatch.setattr("screening.gpaw.require", lambda: None)
    monkeypatch.setattr(installation, "fault", lambda: None)
