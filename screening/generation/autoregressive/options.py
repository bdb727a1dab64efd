"""Settings of the order-free autoregressive model and its training."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from screening.balance import DEFAULT_TABLE


class SetOptions(BaseModel):
    """What can be set with ``screening train compositions --set name=value``.

    The temperatures do not act on the training: they are written on the card as the defaults of
    sampling. At 1 and 1 the model is sampled as it is, which finds most of the known formulas; a
    higher temperature of the elements gives more that are new, and a lower one of the amounts more
    that are valid.
    """

    model_config = ConfigDict(extra="forbid")

    screen: bool = Field(True, description="Train only on formulas that are valid by `table`")
    table: str = Field(DEFAULT_TABLE, description="Oxidation-state table of `screen`")
    held_out: float = Field(
        0.05, ge=0, lt=1, description="Share of the formulas that training never sees"
    )
    width: int = Field(256, ge=1, description="Length of the vectors")
    depth: int = Field(2, ge=1, description="Residual layer pairs")
    amount_width: int = Field(128, ge=1, description="Hidden width of the choice of the amount")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of hidden units dropped in training")
    batch: int = Field(256, ge=2, description="Formulas in a step")
    epochs: int = Field(24, ge=1, description="Passes over the formulas, each in new orders")
    learning_rate: float = Field(2e-3, gt=0, description="Peak of the one-cycle schedule")
    weight_decay: float = Field(0.02, ge=0, description="AdamW's decay of the matrices")
    average: float = Field(
        0.999, ge=0, lt=1, description="Decay of the average of weights that is kept"
    )
    temperature: float = Field(
        2.4, gt=0, description="Default sampling temperature of the elements and the end"
    )
    amount_temperature: float = Field(
        1.0, gt=0, description="Default sampling temperature of the amounts"
    )
    samples: int = Field(100_000, ge=1, description="Samples behind the metrics on the card")
