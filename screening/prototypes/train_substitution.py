"""Learn the substitution model of a bank from the bank itself.

Each decoration in turn is the target: the likelihood of its own prototype and arrangement is
maximised, among all prototypes of its stoichiometry, with every decoration of the same formula left
out. That is what retrieval does for a new formula. See `screening.prototypes.substitution`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from screening.progress import report
from screening.prototypes.retrieval import own_rank
from screening.prototypes.substitution import (
    MEAN_WEIGHT,
    SOFTENING,
    SubstitutionModel,
    element_properties,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from screening.prototypes.bank import Bank
    from screening.prototypes.family import Family

_EXCLUDED = -1e4
_ROWS_PER_BATCH = 1_500_000
_TARGETS_PER_STEP = 128
_MAX_ARRANGEMENTS = 24
_EXTRA_DIMENSIONS = 6
_SMALL_DIMENSIONS = 4
_CHUNK = 256


@dataclass(frozen=True)
class FitOptions:
    """Hyperparameters of the fit.

    Attributes
    ----------
    epochs
        Passes over all targets.
    rate
        Learning rate of Adam at the start; it falls to zero as a cosine.
    penalty
        Weight of the squared distance of the parameters from their start.
    seed
        Seed of the start and of the order of the targets.
    """

    epochs: int = 8
    rate: float = 0.05
    penalty: float = 1e-3
    seed: int = 0


class _Model(nn.Module):
    """The trainable twin of `SubstitutionModel`."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        properties = element_properties()
        extra = 0.3 * rng.standard_normal((len(properties), _EXTRA_DIMENSIONS))
        places = np.concatenate([properties * (10 / np.sqrt(6)), extra], axis=1)
        self.places = nn.Parameter(torch.tensor(places, dtype=torch.float32))
        small = torch.tensor(properties * 0.3, dtype=torch.float32)
        self.contrasts = nn.Parameter(small[:, [0, 1, 2, 3]].clone())
        self.means = nn.Parameter(small[:, [3, 0, 1, 2]].clone())
        self.gamma = nn.Parameter(torch.tensor(0.1))
        self.tail = nn.Parameter(torch.tensor(-4.0))
        self.slow = nn.Parameter(torch.tensor(0.0))
        self.hull = nn.Parameter(torch.tensor(0.0))
        self.start = [p.detach().clone() for p in (self.places, self.contrasts, self.means)]

    def penalty(self) -> Tensor:
        """Squared distance from the start."""
        now = (self.places, self.contrasts, self.means)
        return torch.stack(
            [((p - s) ** 2).sum() for p, s in zip(now, self.start, strict=True)]
        ).sum()

    def log_kernel(self, targets: Tensor, rows: Tensor, fractions: Tensor, hulls: Tensor) -> Tensor:
        """Shapes: targets (b, m, k), rows (n, k), fractions (k,), hulls (n,) -> (b, m, n)."""
        k = len(fractions)
        weights = fractions**self.gamma
        weights = weights / weights.sum()
        table = _soft_norm(self.places[:, None] - self.places[None])
        distance = torch.zeros(())
        for i in range(k):
            distance = distance + weights[i] * table[targets[:, :, i]][:, :, rows[:, i]]
        pairs = [(i, j) for i in range(k) for j in range(i)]
        for i, j in pairs:
            wanted = self.contrasts[targets[:, :, i]] - self.contrasts[targets[:, :, j]]
            known = self.contrasts[rows[:, i]] - self.contrasts[rows[:, j]]
            distance = distance + _soft_norm(wanted[:, :, None] - known) / len(pairs)
        wanted = (fractions[:, None] * self.means[targets]).sum(dim=-2)
        known = (fractions[:, None] * self.means[rows]).sum(dim=-2)
        distance = distance + MEAN_WEIGHT * _soft_norm(wanted[:, :, None] - known)
        kernel = torch.logaddexp(-distance, self.tail - torch.sigmoid(self.slow) * distance)
        return kernel - 10 * nn.functional.softplus(self.hull) * hulls

    def frozen(self) -> SubstitutionModel:
        """Parameters as numpy arrays (rounded to single precision, as they are kept)."""
        scalars = torch.stack(
            [
                self.gamma,
                self.tail,
                torch.sigmoid(self.slow),
                10 * nn.functional.softplus(self.hull),
            ]
        )
        arrays = (self.places, self.contrasts, self.means, scalars)
        return SubstitutionModel(*(a.detach().numpy().astype(np.float64) for a in arrays))


def _soft_norm(vectors: Tensor) -> Tensor:
    return torch.sqrt((vectors**2).sum(dim=-1) + SOFTENING**2) - SOFTENING


@dataclass(frozen=True)
class _Task:
    """One stoichiometry: its rows as tensors, and the targets in it.

    `candidates` (n, m) numbers the candidate that each row supports under each arrangement;
    `answers` (t,) are the targets' own candidates; `formulas` number the composition of each row.
    """

    rows: Tensor
    arrangements: Tensor
    fractions: Tensor
    hulls: Tensor
    candidates: Tensor
    n_candidates: int
    formulas: Tensor
    targets: Tensor
    answers: Tensor
    own_formulas: Tensor


def _task(
    bank: Bank, family: Family, numbers: NDArray[np.int64], chosen: NDArray[np.bool_]
) -> _Task | None:
    """Prepare one family; None if it has no target that could be retrieved."""
    if len(family.arrangements) > _MAX_ARRANGEMENTS:
        return None
    first_rows = np.unique(family.decorations, return_index=True)[1]
    formulas = numbers[family.decorations]
    keep = []
    for row in first_rows:
        same = family.owners == family.owners[row]
        if chosen[family.decorations[row]] and (formulas[same] != formulas[row]).any():
            keep.append(row)
    if not keep:
        return None
    m = len(family.arrangements)
    candidates = family.owners[:, None] * m + family.representative[family.owners]
    return _Task(
        rows=torch.tensor(family.elements),
        arrangements=torch.tensor(family.arrangements),
        fractions=torch.tensor(family.counts / family.counts.sum(), dtype=torch.float32),
        hulls=torch.tensor(np.nan_to_num(bank.hulls[family.decorations]), dtype=torch.float32),
        candidates=torch.tensor(candidates.T.copy()),
        n_candidates=len(family.prototypes) * m,
        formulas=torch.tensor(formulas),
        targets=torch.tensor(family.elements[keep]),
        answers=torch.tensor(candidates[keep, 0]),
        own_formulas=torch.tensor(formulas[keep]),
    )


def make_tasks(bank: Bank, chosen: NDArray[np.bool_]) -> list[_Task]:
    """Prepare all families of a bank; `chosen` (d,) says which decorations may be targets."""
    _, numbers = np.unique(np.array(bank.formulas), return_inverse=True)
    families = (bank.lookup.family(counts) for counts in bank.lookup.stoichiometries())
    tasks = (_task(bank, family, numbers, chosen) for family in families if family is not None)
    return [task for task in tasks if task is not None]


def _loss(model: _Model, task: _Task, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood of each target's own candidate, and whether it is the likeliest."""
    targets = task.targets[batch][:, task.arrangements]
    kernel = model.log_kernel(targets, task.rows, task.fractions, task.hulls)
    same = task.own_formulas[batch][:, None] == task.formulas
    kernel = kernel.masked_fill(same[:, None, :], _EXCLUDED).flatten(1)
    top = kernel.max(dim=1, keepdim=True).values.detach()
    mass = torch.zeros(len(batch), task.n_candidates).scatter_add(
        1, task.candidates.reshape(1, -1).expand(len(batch), -1), torch.exp(kernel - top)
    )
    own = mass.gather(1, task.answers[batch][:, None])[:, 0]
    loss = torch.log(mass.sum(dim=1) + 1e-12) - torch.log(own + 1e-12)
    return loss, mass.argmax(dim=1) == task.answers[batch]


def _batches(tasks: list[_Task], rng: np.random.Generator) -> Iterator[tuple[_Task, Tensor]]:
    parts = []
    for task in tasks:
        order = rng.permutation(len(task.targets))
        size = int(_ROWS_PER_BATCH / task.candidates.numel())
        size = max(4, min(_CHUNK, size))
        parts += [(task, order[i : i + size]) for i in range(0, len(order), size)]
    for index in rng.permutation(len(parts)):
        task, order = parts[index]
        yield task, torch.tensor(order)


class Fit:
    """A fit that can be stopped between epochs and taken up again.

    Parameters
    ----------
    bank
        The bank that learns.
    chosen
        Which decorations may be targets, shape ``(d,)``.
    options
        Hyperparameters.
    """

    def __init__(self, bank: Bank, chosen: NDArray[np.bool_], options: FitOptions) -> None:
        self.options = options
        self.model = _Model(options.seed)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=options.rate)
        self.tasks = make_tasks(bank, chosen)
        self.epoch = 0

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Parameters, moments of the optimiser and epoch, as arrays."""
        arrays = {"epoch": np.array([self.epoch])}
        for name, parameter in self.model.named_parameters():
            moments = self.optimiser.state.get(parameter, {})
            arrays[f"value_{name}"] = parameter.detach().numpy().copy()
            for moment in ("step", "exp_avg", "exp_avg_sq"):
                if moment in moments:
                    arrays[f"{moment}_{name}"] = moments[moment].numpy().copy()
        return arrays

    def restore(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take up the state of an earlier fit with the same bank and options."""
        self.epoch = int(arrays["epoch"][0])
        for name, parameter in self.model.named_parameters():
            parameter.data = torch.tensor(arrays[f"value_{name}"]).reshape(parameter.shape)
            if f"step_{name}" in arrays:
                self.optimiser.state[parameter] = {
                    "step": torch.tensor(arrays[f"step_{name}"]).reshape(()),
                    "exp_avg": torch.tensor(arrays[f"exp_avg_{name}"]).reshape(parameter.shape),
                    "exp_avg_sq": torch.tensor(arrays[f"exp_avg_sq_{name}"]).reshape(
                        parameter.shape
                    ),
                }

    def run(self, after_epoch: Callable[[Fit], None] = lambda _: None) -> SubstitutionModel:
        """Fit to the end; on one thread, so that the result does not depend on their number."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            while self.epoch < self.options.epochs and self.tasks:
                self._run_epoch()
                self.epoch += 1
                report("substitution", self.epoch, self.options.epochs)
                after_epoch(self)
        finally:
            torch.set_num_threads(threads)
        return self.model.frozen()

    def _run_epoch(self) -> None:
        rng = np.random.default_rng([self.options.seed, self.epoch])
        rate = 0.5 * self.options.rate * (1 + np.cos(np.pi * self.epoch / self.options.epochs))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        pending = 0
        for task, batch in _batches(self.tasks, rng):
            loss, _ = _loss(self.model, task, batch)
            (loss.sum() / 64).backward()
            pending += len(batch)
            if pending >= _TARGETS_PER_STEP:
                self._step(pending)
                pending = 0
        self._step(pending)

    def _step(self, pending: int) -> None:
        if pending:
            penalty = self.options.penalty * self.model.penalty() * pending / 6400
            penalty.backward()
            self.optimiser.step()
            self.optimiser.zero_grad()


def measure(model: SubstitutionModel, bank: Bank, chosen: NDArray[np.bool_]) -> dict[str, float]:
    """Share of targets whose own prototype and arrangement is the likeliest, and the mean loss."""
    learned = bank.with_model(model)
    ranks = [own_rank(learned, int(decoration)) for decoration in np.flatnonzero(chosen)]
    found = np.array([rank for rank in ranks if rank is not None])
    if not len(found):
        return {"n": 0}
    return {"n": len(found), "top1": float((found == 1).mean()), "top5": float((found <= 5).mean())}
