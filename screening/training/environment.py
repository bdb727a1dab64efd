"""What a training ran on, for the card."""

from __future__ import annotations

from importlib.metadata import version

import screening


def package_versions(*names: str) -> dict[str, str]:
    """Versions of this package and of the distributions `names`."""
    return {"crystal-screening": screening.__version__} | {name: version(name) for name in names}


def device_name(device: str) -> str:
    """``cpu``, or the name of the GPU."""
    if device == "cpu":
        return device
    import torch

    name: str = torch.cuda.get_device_name(device)
    return name
