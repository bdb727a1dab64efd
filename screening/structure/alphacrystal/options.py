"""Options of ``screening train contact-map`` and ``screening train distance-matrix``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from screening.structure.alphacrystal.labels import PAPER_RANGE
from screening.structure.alphacrystal.model import HEADS
from screening.training.options import LoopOptions

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

SUBSETS = ("cubic", "binary", "ternary")
"""What AlphaCrystal-II has specialists for."""
_CUBIC = 195
OWN_RANGE = (0.9, 12.0)
"""Range of the bins (Angstrom) that is used by default; farther pairs count as the last bin."""


class MapOptions(BaseModel):
    """Hyperparameters of the training."""

    model_config = ConfigDict(extra="forbid")

    heads: tuple[str, ...] = Field(HEADS, description="contact, distance or both: what is learned")
    architecture: Literal["transformer", "residual"] = Field(
        "transformer", description="Pair transformer, or the papers' residual network"
    )
    width: int = Field(64, ge=8, description="Length of an atom's vector (transformer)")
    pair_width: int = Field(24, ge=4, description="Length of a pair's vector (transformer)")
    layers: int = Field(3, ge=1, description="Layers (transformer)")
    attention_heads: int = Field(4, ge=1, description="Heads of each layer (transformer)")
    widths: tuple[int, ...] = Field((32, 64, 128), description="Filters on atoms (residual)")
    pair_widths: tuple[int, ...] = Field(
        (64, 64, 64), description="Filters on pairs (residual); printed: 256,512,1024"
    )
    blocks: int = Field(3, ge=1, description="Blocks of each stage (residual)")
    n_bins: int = Field(20, ge=2, description="Bins of distances; the papers: 5, 10, 20")
    bins: Literal["own", "paper"] = Field("own", description="0.9-12 or 0.9488-23.3361 Angstrom")
    legacy_features: bool = Field(False, description="The papers' raw features of the elements")
    max_atoms: int = Field(12, ge=2, le=24, description="Most atoms in the cell")
    metals: bool = Field(False, description="Keep crystals of metals only")
    learn_metals: bool = Field(
        False, description="Learn from crystals of metals only, too, but measure none of them"
    )
    further: int = Field(
        0, ge=0, description="Compositions of a second file that the bank makes crystals of"
    )
    subset: Literal["all", "cubic", "binary", "ternary"] = Field(
        "all", description="Train on a part only: the specialists of AlphaCrystal-II"
    )
    bank: str = Field("prototypes", description="Bank of the templates; none for none")
    hidden: float = Field(0.3, ge=0, le=1, description="Share of crystals without templates")
    exchange: bool = Field(
        False, description="Exchange equal atoms of the target to fit the prediction in each step"
    )
    start: str = Field("", description="Checkpoint whose weights the training starts from")
    templated: str = Field(
        "", description="Checkpoint whose network is taken, as it is, for crystals with templates"
    )
    epochs: int = Field(18, ge=1, description="Passes over the training formulas")
    batch_size: int = Field(64, ge=1, description="Crystals per step")
    learning_rate: float = Field(2e-3, gt=0, description="Peak of the one-cycle schedule")
    weight_decay: float = Field(0.05, ge=0, description="Weight decay of AdamW")
    ema: float = Field(0.99, ge=0, lt=1, description="Decay of the averaged weights")
    test_fraction: float = Field(0.1, gt=0, lt=0.9, description="Share of formulas held out")
    watched: float = Field(
        0.0, ge=0, lt=0.5,
        description="Share of the other formulas that is not learned, but watched: the error of "
        "distances from compositions alone, for the training curve",
    )  # fmt: skip

    @field_validator("heads", "widths", "pair_widths", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take ``64,64,64`` from the command line."""
        return value.split(",") if isinstance(value, str) else value

    @field_validator("heads")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not set(value) <= set(HEADS):
            raise ValueError(f"use some of {list(HEADS)}")
        return value

    @property
    def limits(self) -> tuple[float, float]:
        """Range of the bins (Angstrom)."""
        return PAPER_RANGE if self.bins == "paper" else OWN_RANGE

    def network(self) -> dict[str, Any]:
        """Arguments of `make_network`."""
        shared = {
            "architecture": self.architecture,
            "n_bins": self.n_bins,
            "legacy_features": self.legacy_features,
        }
        if self.architecture == "residual":
            return shared | {
                "widths": self.widths,
                "pair_widths": self.pair_widths,
                "blocks": self.blocks,
                "size": self.max_atoms,
            }
        return shared | {
            "width": self.width,
            "pair_width": self.pair_width,
            "layers": self.layers,
            "heads": self.attention_heads,
        }

    def loop(self) -> LoopOptions:
        """Hyperparameters of the loop."""
        names = {"epochs", "batch_size", "learning_rate", "weight_decay"}
        return LoopOptions(**self.model_dump(include=names), ema=self.ema or None)


def subset_mask(table: pd.DataFrame, name: str) -> NDArray[np.bool_]:
    """Which rows of a structure table belong to one of the `SUBSETS`, or to ``all``."""
    if name == "cubic":
        return np.asarray(table["spacegroup_number"].to_numpy() >= _CUBIC)
    n_elements = np.array([len(np.unique(z)) for z in table["atomic_numbers"]])
    wanted = {"binary": 2, "ternary": 3}.get(name)
    return np.ones(len(table), dtype=bool) if wanted is None else n_elements == wanted
