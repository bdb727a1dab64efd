"""Settings of MatGAN and its training."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from screening.balance import DEFAULT_TABLE


class Options(BaseModel):
    """What can be set with ``screening train matgan --set name=value``.

    The defaults are not those of the authors (`authors`): their dense 85 x 8 output has to learn
    from nothing that a formula names a few elements only; their critic normalises over a batch,
    which the gradient penalty forbids; their weights start at N(0, 1), their critic learns ten
    times faster than their generator, and one critic step is made for each generator step.
    """

    model_config = ConfigDict(extra="forbid")

    authors: bool = Field(
        False, description="The network and settings of Dan et al. 2020; overrides the others"
    )
    network: Literal["slots", "conv"] = Field(
        "slots",
        description="slots: a few places that each choose one element (or none) and one amount "
        "by a softmax with Gumbel noise; conv: the authors' deconvolutions to 85 x 8 sigmoids",
    )
    screen: bool = Field(True, description="Train only on formulas that are valid by `table`")
    table: str = Field(DEFAULT_TABLE, description="Oxidation-state table of `screen`")
    held_out: float = Field(
        0.05, ge=0, lt=1, description="Share of the formulas that training never sees"
    )
    latent: int = Field(128, ge=1, description="Length of the latent vector")
    slots: int = Field(6, ge=2, description="Places for elements (slots)")
    width: int = Field(384, ge=1, description="Hidden width of the generator (slots)")
    critic_width: int = Field(256, ge=1, description="Hidden width of the critic (slots)")
    noise: float = Field(
        0.1,
        ge=0,
        description="Scale of the Gumbel noise in training (slots)",
    )
    temperature: float = Field(
        0.08, gt=0, description="Default sampling temperature, the scale of the noise (slots)"
    )
    pac: int = Field(2, ge=1, description="Compositions that the critic judges together (slots)")
    batch: int = Field(64, ge=2, description="Judgements of the critic in a step")
    critic_steps: int = Field(2, ge=1, description="Critic steps for each generator step")
    penalty: float = Field(1.0, ge=0, description="Weight of the gradient penalty")
    lr_generator: float = Field(1e-3, gt=0, description="Learning rate of the generator")
    lr_critic: float = Field(1e-3, gt=0, description="Learning rate of the critic")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's first beta")
    beta2: float = Field(0.9, ge=0, lt=1, description="Adam's second beta")
    decay: bool = Field(True, description="Let both learning rates fall linearly to zero")
    average: float = Field(
        0.999, ge=0, lt=1, description="Decay of the average of weights that is kept; 0: the last"
    )
    normal_init: bool = Field(False, description="All weights from N(0, 1), as the authors (conv)")
    batch_norm: bool = Field(
        False, description="Batch instead of layer normalisation in the critic (conv)"
    )
    steps: int = Field(10_000, ge=1, description="Generator steps")
    samples: int = Field(100_000, ge=1, description="Samples behind the metrics on the card")

    def resolved(self) -> Options:
        """Replace what `authors` overrides; the number of steps stays."""
        if not self.authors:
            return self
        settings = {
            "network": "conv",
            "latent": 128,
            "pac": 1,
            "batch": 32,
            "critic_steps": 1,
            "penalty": 10.0,
            "lr_generator": 1e-3,
            "lr_critic": 1e-2,
            "beta1": 0.5,
            "beta2": 0.9,
            "decay": False,
            "average": 0.0,
            "normal_init": True,
            "batch_norm": True,
        }
        return self.model_copy(update=settings)
