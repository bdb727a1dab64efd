"""Energies, phonons and elastic moduli of potentials against DFT."""
