"""Data that samples of a generator are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from screening.balance import DEFAULT_TABLE, accepted, balance_codes
from screening.composition import CompositionArray
from screening.generation.generators import LIMITS
from screening.generation.representation import encodable
from screening.generation.space import ChemicalSpace
from screening.training.data import unseen

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class Options(BaseModel):
    """What can be set with ``screening evaluate generation --set name=value``."""

    model_config = ConfigDict(extra="forbid")

    samples: int = Field(100_000, ge=1, description="Samples that are drawn")
    table: str = Field(DEFAULT_TABLE, description="Oxidation-state table")
    pauling: bool = Field(True, description="Ask for electronegativity balance")
    alloys: bool = Field(True, description="Accept compositions of metals only at once")
    chemsys: str | None = Field(None, description="Sample within this system, as Li-Mn-S")
    required: str | None = Field(None, description="Sample with these elements, as Li-O")
    temperature: float | None = Field(
        None, gt=0, description="Sampling temperature; none: that of the checkpoint"
    )
    amount_temperature: float | None = Field(
        None, gt=0, description="The same for the amounts, autoregressive model only"
    )

    def space(self) -> ChemicalSpace | None:
        """Return the chemical space that samples and target are limited to, if any."""
        if self.chemsys is None and self.required is None:
            return None
        return ChemicalSpace.create(
            chemsys=self.chemsys.split("-") if self.chemsys else None,
            required=self.required.split("-") if self.required else (),
            excluded=(),
            **LIMITS["autoregressive"],
        )


@dataclass(frozen=True)
class Reference:
    """What samples are compared with.

    Attributes
    ----------
    seen
        Fingerprints of the formulas that the model was trained on, sorted, uint32.
    known
        All canonical formulas of the data.
    target
        The encodable and valid formulas of the data that the model has not seen.
    """

    seen: NDArray[np.uint32]
    known: frozenset[str]
    target: CompositionArray

    @classmethod
    def create(cls, formulas: Sequence[str], seen: NDArray[np.uint32], rules: Options) -> Reference:
        """Choose the target among distinct canonical formulas."""
        compositions = CompositionArray.from_formulas(formulas)
        kept = encodable(compositions) & unseen(formulas, seen)
        kept &= accepted(_codes(compositions, rules))
        space = rules.space()
        if space is not None:
            kept &= space.contains(compositions)
        return cls(seen, frozenset(formulas), compositions[kept])


def _codes(compositions: CompositionArray, rules: Options) -> NDArray[np.uint8]:
    return balance_codes(
        compositions, table=rules.table, pauling=rules.pauling, alloys=rules.alloys
    )
