"""Formation energies on the scale of the Materials Project, from the energies of a potential.

`formation_energies` gives them with intervals; `energy_scale` gives the fitted scale of an energy
source, if there is one. Raw energies stay what they are.
"""

from screening.energy_scale.model import (
    EnergyScale,
    ScaledEnergies,
    energy_scale,
    formation_energies,
)

__all__ = ["EnergyScale", "ScaledEnergies", "energy_scale", "formation_energies"]
