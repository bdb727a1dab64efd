"""The third stage: formation energies predicted from compositions alone."""

from screening.energy.model import EnergyModel, EnergyPrediction

__all__ = ["EnergyModel", "EnergyPrediction"]
