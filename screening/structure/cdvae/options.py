"""Options of ``screening train cond-cdvae``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from screening.structure.cdvae.condition import MOST_ATOMS, Prior
from screening.training.options import LoopOptions


class CdvaeOptions(BaseModel):
    """Hyperparameters; the paper's where it says them, but for the size of the network."""

    model_config = ConfigDict(extra="forbid")

    width: int = Field(64, ge=8, description="Length of an atom's vector; the paper's 86M: 512")
    layers: int = Field(3, ge=1, description="Layers of the decoder; the paper's 86M: 6")
    encoder_layers: int = Field(2, ge=1, description="Layers of the encoder; the paper: 4")
    latent: int = Field(16, ge=1, description="Length of z; the paper: 128 or 512")
    condition: int = Field(128, ge=8, description="Length of z and condition together")
    embedding: int = Field(50, ge=1, description="Length of an element's vector in the condition")
    gaussians: int = Field(80, ge=2, description="Gaussians of the pressure, from -2 to 5")
    neighbours: int = Field(14, ge=1, description="Neighbours of an atom; the paper: 20")
    cutoff: float = Field(5.0, gt=0, description="Farthest neighbour (Angstrom); the paper: 7")
    radial: int = Field(6, ge=1, description="Radial functions; the paper's encoder: 6")
    sent: int = Field(32, ge=1, description="Length of what an atom sends to its neighbours")
    prior: Prior = Field(
        "mixture", description="Of z: normal (the paper), or a mixture told by the condition"
    )
    components: int = Field(16, ge=1, description="Gaussians of the mixture")
    counts: bool = Field(
        True, description="Tell the number of atoms and the elements' shares; the paper: no"
    )
    tell_lattice: bool = Field(True, description="Tell the encoder the lattice; the paper: no")
    volume: bool = Field(
        True, description="Scale the lattice to a volume that is predicted, too; the paper: no"
    )
    compression: bool = Field(
        True, description="Lengths follow Murnaghan's equation; the paper: learned freely"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="In the lattice; the paper: 0.2")
    tell_noise: bool = Field(True, description="Tell the decoder the noise; the paper: no")
    centred: bool = Field(True, description="Noise without a common shift; the paper: with it")
    levels: int = Field(50, ge=2, description="Levels of noise")
    largest: float = Field(3.0, gt=0, description="Largest noise (Angstrom); the paper: 10")
    smallest: float = Field(0.1, gt=0, description="Smallest noise (Angstrom); the paper: 0.01")
    lattice_weight: float = Field(10.0, ge=0, description="Weight of the loss of the lattice")
    coordinate_weight: float = Field(10.0, ge=0, description="Weight of the loss of the positions")
    kl_weight: float = Field(
        0.03, ge=0, description="Weight of the divergence of z; the paper: 0.01"
    )
    teacher: float = Field(
        0.5, ge=0, le=1, description="Share of the steps with the true lattice; the paper: 60 / 600"
    )
    max_atoms: int = Field(20, ge=1, le=MOST_ATOMS, description="Most atoms in the cell")
    max_pressure: float = Field(60.0, ge=0, description="Labels above this are not used (GPa)")
    epochs: int = Field(200, ge=1, description="Passes over the crystals")
    batch_size: int = Field(128, ge=1, description="Crystals per step")
    learning_rate: float = Field(3e-3, gt=0, description="Peak; the paper: 1e-4, falling")
    weight_decay: float = Field(0.01, ge=0, description="Of the matrices; the paper: 0")
    ema: float = Field(0.999, ge=0, lt=1, description="Decay of the averaged weights")
    test_fraction: float = Field(0.1, gt=0, lt=0.9, description="Share of formulas held out")
    exclude: tuple[str, ...] = Field((), description="Formulas that are held out, too: Li,B,SiO2")

    @field_validator("exclude", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take ``Li,SiO2`` from the command line."""
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    def network(self) -> dict[str, Any]:
        """Arguments of `CondCdvae`, but for the statistics of the data."""
        names = {
            "width", "layers", "encoder_layers", "latent", "condition", "embedding", "gaussians",
            "neighbours", "cutoff", "radial", "sent", "prior", "components", "counts",
            "tell_lattice", "volume", "compression", "dropout", "tell_noise", "centred",
            "levels", "largest", "smallest",
        }  # fmt: skip
        return self.model_dump(include=names)

    def weights(self) -> dict[str, float]:
        """Weights of the losses."""
        return {
            "lattice": self.lattice_weight,
            "coordinates": self.coordinate_weight,
            "divergence": self.kl_weight,
        }

    def loop(self) -> LoopOptions:
        """Hyperparameters of the loop."""
        names = {"epochs", "batch_size", "learning_rate"}
        return LoopOptions(
            **self.model_dump(include=names),
            ema=self.ema or None,
            clip_norm=1.0,
            validate_every=5,
            weight_decay=self.weight_decay,
        )
