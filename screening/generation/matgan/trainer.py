"""The training loop of MatGAN, with a state that an interrupted run can go on from."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch

from screening.errors import InputError
from screening.generation.matgan.model import (
    ConvCritic,
    ConvGenerator,
    DenseCritic,
    SlotGenerator,
    gradient_penalty,
    use_normal_weights,
)
from screening.generation.matgan.sample import build_generator
from screening.identity import canonical_json, derive_seed
from screening.training.state import read_state, write_state

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from screening.generation.matgan.options import Options


class Trainer:
    """Generator, critic, their optimisers and the average of the generator's weights.

    Parameters
    ----------
    options
        Resolved options.
    cells
        Training compositions as binary matrices, shape ``(n, 85, 8)``, uint8, on the device that
        trains.
    seed
        Seed of the weights and of all draws. The draws of a step depend on the seed and the
        number of the step where `run` began only.
    """

    def __init__(self, options: Options, cells: Tensor, seed: int) -> None:
        self.options = options
        self.cells = cells
        self.seed = seed
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.rng = torch.Generator(cells.device)
        self.generator, self.critic = self._networks()
        self.average = deepcopy(self.generator)
        betas = (options.beta1, options.beta2)
        self.optimizers = {
            "generator": torch.optim.Adam(
                self.generator.parameters(), options.lr_generator, betas, fused=True
            ),
            "critic": torch.optim.Adam(
                self.critic.parameters(), options.lr_critic, betas, fused=True
            ),
        }

    def arguments(self) -> dict[str, Any]:
        """Arguments of `sample.build_generator`."""
        options = self.options
        if options.network == "conv":
            return {"network": "conv", "latent": options.latent}
        names = ("network", "latent", "width", "slots", "noise")
        return {name: getattr(options, name) for name in names}

    def _networks(self) -> tuple[SlotGenerator | ConvGenerator, nn.Module]:
        options = self.options
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, "matgan weights"))
            generator = build_generator(self.arguments())
            critic: nn.Module = (
                ConvCritic(batch_norm=options.batch_norm)
                if options.network == "conv"
                else DenseCritic(options.critic_width, options.pac)
            )
        if options.normal_init:
            rng = torch.Generator().manual_seed(derive_seed(self.seed, "matgan normal weights"))
            use_normal_weights(generator, rng)
            use_normal_weights(critic, rng)
        return generator.to(self.cells.device), critic.to(self.cells.device)

    def run(self, steps: int) -> float:
        """Make `steps` generator steps and return the critic's mean loss in them."""
        self.rng.manual_seed(derive_seed(self.seed, "matgan steps", self.step))
        total = torch.zeros((), device=self.cells.device)
        for _ in range(steps):
            self._set_rates()
            for _ in range(self.options.critic_steps):
                total += self._critic_step()
            self._generator_step()
            self._average_step()
            self.step += 1
        return float(total) / (steps * self.options.critic_steps)

    def _set_rates(self) -> None:
        options = self.options
        share = 1 - self.step / options.steps if options.decay else 1.0
        rates = {"generator": options.lr_generator, "critic": options.lr_critic}
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = rates[name] * share

    def _fake(self) -> Tensor:
        z = torch.randn(
            self.options.batch * self.options.pac,
            self.options.latent,
            generator=self.rng,
            device=self.cells.device,
        )
        cells: Tensor = self.generator(z, self.rng)
        return cells

    def _critic_step(self) -> Tensor:
        n, device = self.options.batch * self.options.pac, self.cells.device
        rows = torch.randint(len(self.cells), (n,), generator=self.rng, device=device)
        real = self.cells[rows].float()
        with torch.no_grad():
            fake = self._fake()
        loss: Tensor = self.critic(fake).mean() - self.critic(real).mean()
        if self.options.penalty:
            slope = gradient_penalty(self.critic, real, fake, self.rng)
            loss = loss + self.options.penalty * slope
        self.optimizers["critic"].zero_grad()
        loss.backward()
        self.optimizers["critic"].step()
        return loss.detach()

    def _generator_step(self) -> None:
        self.critic.requires_grad_(False)
        loss = -self.critic(self._fake()).mean()
        self.optimizers["generator"].zero_grad()
        loss.backward()
        self.optimizers["generator"].step()
        self.critic.requires_grad_(True)

    @torch.no_grad()
    def _average_step(self) -> None:
        # A short memory at first: the first weights are random.
        keep = min(self.options.average, self.step / (self.step + 10))
        for mean, value in zip(
            self.average.state_dict().values(), self.generator.state_dict().values(), strict=True
        ):
            if value.is_floating_point():
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)

    def kept_state(self) -> dict[str, Tensor]:
        """Weights of the generator that is kept: the average."""
        return self.average.state_dict()

    def rounded_generator(self) -> SlotGenerator | ConvGenerator:
        """Return a copy of the kept generator as it is after a checkpoint: rounded to float16."""
        generator = deepcopy(self.average).cpu()
        state = {
            name: value.half().float() if value.is_floating_point() else value
            for name, value in generator.state_dict().items()
        }
        generator.load_state_dict(state)
        return generator

    def save(self, path: Path, identity: dict[str, Any], seconds: float) -> None:
        """Write the whole state to one file; `identity` says which training it belongs to."""
        state = {
            "identity": identity,
            "step": self.step,
            "seconds": seconds,
            "history": self.history,
        }
        write_state(path, self._tensors(), canonical_json(state).decode())

    def restore(self, path: Path, identity: dict[str, Any]) -> float:
        """Go on from a state, if there is one; returns the seconds spent so far.

        Raises
        ------
        InputError
            If the file is damaged or belongs to other options, data or another seed.
        """
        if not path.is_file():
            return 0.0
        tensors, text = read_state(path, self.cells.device)
        state = json.loads(text)
        if state["identity"] != json.loads(canonical_json(identity)):
            raise InputError(
                f"{path} is the state of a training with other options, data or seed: give the "
                "same ones, or start again without resume"
            )
        self.step, self.history = int(state["step"]), state["history"]
        for name, module in self._modules().items():
            module.load_state_dict(_part(tensors, name))
        for name, optimizer in self.optimizers.items():
            moments = _part(tensors, f"adam {name}")
            current = optimizer.state_dict()
            n_parameters = len(current["param_groups"][0]["params"])
            current["state"] = {i: _part(moments, str(i)) for i in range(n_parameters)}
            optimizer.load_state_dict(current)
        return float(state["seconds"])

    def _modules(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "critic": self.critic, "average": self.average}

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {
            f"{name}/{key}": value
            for name, module in self._modules().items()
            for key, value in module.state_dict().items()
        }
        for name, optimizer in self.optimizers.items():
            for index, moments in optimizer.state_dict()["state"].items():
                tensors |= {f"adam {name}/{index}/{key}": t for key, t in moments.items()}
        return tensors


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Tensors below ``name/``, without that prefix."""
    prefix = f"{name}/"
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }
