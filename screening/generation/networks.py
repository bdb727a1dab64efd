"""Trained networks behind the composition generators."""

from __future__ import annotations

CHECKPOINTS = {"autoregressive": "compositions", "matgan": "matgan"}
"""Methods that need a trained network, and the bundled checkpoint of each."""
NETWORKS = {
    "screening.generation.autoregressive.model:SetModel": "autoregressive",
    "screening.generation.matgan.model:SlotGenerator": "matgan",
    "screening.generation.matgan.model:ConvGenerator": "matgan",
}
"""Model on a checkpoint's card -> the method that it belongs to."""
