"""Search algorithms with one interface, vectorised over assignments and their populations.

An algorithm proposes genes, all in [0, 1], and learns from their fitness. Genes of positions are
cyclic: 0 and 1 are the same place; those of the cell are not.

- `Genetic`: the papers' genetic algorithm. They print the population (100), the generations (1000)
  and the mutation rate (0.001); genes of 16 bits, tournaments of two, two-point crossover and a
  best crystal that survives are a plain choice.
- `Differential`: differential evolution (Storn & Price 1997, doi:10.1023/A:1008202821328) that
  moves from random parents to the best one as it goes.
- `CovarianceMatrix`: CMA-ES (Hansen 2016, arXiv:1604.00772), started again wherever it stops.
- `Gradient`: damped Gauss-Newton steps (Levenberg and Marquardt, doi:10.1137/0111030) on squares of
  residuals, started again from random or from shaken good crystals.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Slopes = Callable[[Floats], tuple[Floats, Floats, Floats]]
N = TypeVar("N", bound=np.generic)


@dataclass(frozen=True)
class Space:
    """What is searched.

    Attributes
    ----------
    n_rows, size, n_genes
        Assignments, crystals in the population of each, genes of a crystal.
    n_cell
        How many of the first genes are not cyclic.
    generations
        How often the search will ask.
    """

    n_rows: int
    size: int
    n_genes: int
    n_cell: int
    generations: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Assignments, crystals, genes."""
        return self.n_rows, self.size, self.n_genes

    def inside(self, genes: Floats) -> Floats:
        """Bring genes back to [0, 1]: cyclic ones around, others to the border."""
        return np.concatenate(
            [np.clip(genes[..., : self.n_cell], 0, 1), genes[..., self.n_cell :] % 1.0], axis=-1
        )

    def step(self, first: Floats, second: Floats) -> Floats:
        """Shortest way from `second` to `first`."""
        step = first - second
        step[..., self.n_cell :] -= np.round(step[..., self.n_cell :])
        return step


class Algorithm(ABC):
    """What all algorithms share.

    Parameters
    ----------
    space
        What is searched.
    rng
        Source of randomness.
    """

    cost: ClassVar[int] = 1
    """Evaluations that one crystal counts for."""
    state: ClassVar[tuple[str, ...]] = ()
    """Attributes with a row for each assignment."""

    def __init__(self, space: Space, rng: np.random.Generator) -> None:
        self.space, self.rng = space, rng
        self.generation = 0

    @abstractmethod
    def propose(self) -> Floats:
        """Genes of the next crystals, shape ``(r, p, g)`` for the ``r`` rows that are left."""

    @abstractmethod
    def learn(self, genes: Floats, values: Floats, slopes: Slopes) -> None:
        """Take in the fitness of what was proposed.

        Parameters
        ----------
        genes
            As proposed.
        values
            Shape ``(r, p)``; higher is better.
        slopes
            Gives sums of squares, matrices and vectors (`fitness.slopes_all`) of such genes.
        """

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Go on with some of the rows."""
        for name in self.state:
            setattr(self, name, getattr(self, name)[kept])


def _take(values: NDArray[N], index: Integers) -> NDArray[N]:
    """Take crystals of each row; `index` of shape ``(r, q)``."""
    rows = np.arange(len(values))[:, None]
    taken: NDArray[N] = values[rows, index]
    return taken


class Genetic(Algorithm):
    """The papers' genetic algorithm."""

    state = ("parents", "values")
    bits, mutation = 16, 0.001

    def __init__(self, space: Space, rng: np.random.Generator) -> None:
        super().__init__(space, rng)
        self.parents = rng.integers(0, 2**self.bits, space.shape)
        self.values = np.full(space.shape[:2], -np.inf)
        self._children = self.parents

    def propose(self) -> Floats:
        """Cross and mutate parents."""
        if self.generation:
            self._children = self._offspring()
        self.generation += 1
        genes: Floats = self._children / 2**self.bits
        return genes

    def _offspring(self) -> Integers:
        r, p, g = self.parents.shape
        drawn = self.rng.integers(0, p, (2, 2, r, p))
        fitness = self.values[np.arange(r)[None, None, :, None], drawn]
        chosen = np.where(fitness[0] >= fitness[1], drawn[0], drawn[1])
        first, second = (_take(self.parents, index) for index in chosen)
        low, high = np.sort(self.rng.integers(0, g * self.bits + 1, (2, r, p)), axis=0)
        start = self.bits * np.arange(g)
        low = np.clip(low[..., None] - start, 0, self.bits)
        high = np.clip(high[..., None] - start, 0, self.bits)
        mask = (1 << high) - (1 << low)
        children = (first & ~mask) | (second & mask)
        flips = self.rng.random((r, p, g)) < 1 - (1 - self.mutation) ** self.bits
        mutated: Integers = children ^ (flips * (1 << self.rng.integers(0, self.bits, (r, p, g))))
        return mutated

    def learn(self, genes: Floats, values: Floats, slopes: Slopes) -> None:  # noqa: ARG002
        """Replace all parents but the best, which takes the place of the worst child."""
        children = self._children
        if self.generation > 1:
            rows = np.arange(len(values))
            best, worst = self.values.argmax(axis=1), values.argmin(axis=1)
            children, values = children.copy(), values.copy()
            children[rows, worst] = self.parents[rows, best]
            values[rows, worst] = self.values[rows, best]
        self.parents, self.values = children, values


class Differential(Algorithm):
    """Differential evolution."""

    state = ("parents", "values")
    crossover = 0.8

    def __init__(self, space: Space, rng: np.random.Generator) -> None:
        super().__init__(space, rng)
        self.parents = rng.random(space.shape)
        self.values = np.full(space.shape[:2], -np.inf)

    def propose(self) -> Floats:
        """Move each crystal along the difference of two others."""
        self.generation += 1
        if self.generation == 1:
            return self.parents
        r, p, g = self.parents.shape
        picked = self.rng.integers(0, p, (3, r, p))
        follow = self.rng.random((r, p)) < self.generation / self.space.generations
        picked[0] = np.where(follow, self.values.argmax(axis=1)[:, None], picked[0])
        start, one, two = (_take(self.parents, index) for index in picked)
        factor = 0.3 + 0.6 * self.rng.random((r, p, 1))
        moved = self.space.inside(start + factor * self.space.step(one, two))
        crossed = self.rng.random((r, p, g)) < self.crossover
        crossed |= np.arange(g) == self.rng.integers(0, g, (r, p, 1))
        return np.where(crossed, moved, self.parents)

    def learn(self, genes: Floats, values: Floats, slopes: Slopes) -> None:  # noqa: ARG002
        """Keep what is not worse than its parent."""
        better = values >= self.values
        self.parents = np.where(better[..., None], genes, self.parents)
        self.values = np.where(better, values, self.values)


class CovarianceMatrix(Algorithm):
    """CMA-ES for each assignment, with full matrices."""

    state = (
        "mean",
        "sigma",
        "matrix",
        "path",
        "path_sigma",
        "axes",
        "scales",
        "age",
        "idle",
        "_best",
    )
    start, smallest = 0.3, 1e-4
    patience = 15

    def __init__(self, space: Space, rng: np.random.Generator) -> None:
        super().__init__(space, rng)
        r, p, g = space.shape
        half = max(1, p // 2)
        weights = np.log(half + 0.5) - np.log(np.arange(1, half + 1))
        self.weights = weights / weights.sum()
        mass = 1 / (self.weights**2).sum()
        self.mass = mass
        self.rate_sigma = (mass + 2) / (g + mass + 5)
        self.damping = 1 + 2 * max(0.0, np.sqrt((mass - 1) / (g + 1)) - 1) + self.rate_sigma
        self.rate_path = (4 + mass / g) / (g + 4 + 2 * mass / g)
        self.rate_one = 2 / ((g + 1.3) ** 2 + mass)
        self.rate_many = min(1 - self.rate_one, 2 * (mass - 2 + 1 / mass) / ((g + 2) ** 2 + mass))
        self.length = np.sqrt(g) * (1 - 1 / (4 * g) + 1 / (21 * g * g))
        self.mean, self.sigma = rng.random((r, g)), np.full(r, self.start)
        self.matrix = np.tile(np.eye(g), (r, 1, 1))
        self.axes, self.scales = self.matrix.copy(), np.ones((r, g))
        self.path, self.path_sigma = np.zeros((r, g)), np.zeros((r, g))
        self.age, self.idle = np.zeros(r, dtype=np.int64), np.zeros(r, dtype=np.int64)
        self._best = np.full(r, -np.inf)
        self._drawn = np.zeros(space.shape)

    def propose(self) -> Floats:
        """Draw from the normal distribution of each row."""
        self.generation += 1
        r = len(self.mean)
        normal = self.rng.standard_normal((r, *self.space.shape[1:]))
        self._drawn = np.einsum("rij,rpj->rpi", self.axes, normal * self.scales[:, None])
        return self.space.inside(self.mean[:, None] + self.sigma[:, None, None] * self._drawn)

    def learn(self, genes: Floats, values: Floats, slopes: Slopes) -> None:  # noqa: ARG002
        """Update means, step lengths and matrices; start spent rows again."""
        order = np.argsort(-values, axis=1, kind="stable")[:, : len(self.weights)]
        best = _take(self._drawn, order)
        step = np.einsum("k,rkg->rg", self.weights, best)
        self.mean = self.space.inside(self.mean + self.sigma[:, None] * step)
        rate = self.rate_sigma
        white = np.einsum("rij,rj->ri", self.axes.transpose(0, 2, 1), step) / self.scales
        white = np.einsum("rij,rj->ri", self.axes, white)
        self.path_sigma = (1 - rate) * self.path_sigma
        self.path_sigma += np.sqrt(rate * (2 - rate) * self.mass) * white
        norm = np.linalg.norm(self.path_sigma, axis=1)
        self.age += 1
        limit = (1.4 + 2 / (self.space.n_genes + 1)) * self.length
        calm = norm / np.sqrt(1 - (1 - rate) ** (2 * self.age)) < limit
        rate = self.rate_path
        self.path = (1 - rate) * self.path
        self.path += calm[:, None] * np.sqrt(rate * (2 - rate) * self.mass) * step
        one = self.path[:, :, None] * self.path[:, None]
        many = np.einsum("k,rki,rkj->rij", self.weights, best, best)
        kept = 1 - self.rate_one - self.rate_many
        self.matrix = kept * self.matrix + self.rate_one * one + self.rate_many * many
        self.sigma *= np.exp((self.rate_sigma / self.damping) * (norm / self.length - 1))
        self.sigma = np.minimum(self.sigma, 1.0)
        top = values.max(axis=1)
        self.idle = np.where(top > self._best + 1e-6, 0, self.idle + 1)
        self._best = np.maximum(self._best, top)
        self._restart((self.idle > self.patience) | (self.sigma < self.smallest))
        if self.generation % 4 == 1:
            squares, self.axes = np.linalg.eigh(self.matrix)
            self.scales = np.sqrt(np.maximum(squares, 1e-12))

    def _restart(self, spent: NDArray[np.bool_]) -> None:
        """Start some rows from a new place."""
        n, g = int(spent.sum()), self.space.n_genes
        self.mean[spent] = self.rng.random((n, g))
        self.sigma[spent], self._best[spent] = self.start, -np.inf
        self.matrix[spent] = self.axes[spent] = np.eye(g)
        self.scales[spent] = 1.0
        for values in (self.path, self.path_sigma, self.age, self.idle):
            values[spent] = 0


class Gradient(Algorithm):
    """Damped Gauss-Newton steps from many places."""

    cost = 2
    state = ("current", "squares", "matrices", "vectors", "damping", "idle", "values")
    first_damping, largest_damping = 0.1, 1e3
    patience, gain = 4, 1e-3
    shaken, shake = 0.5, 0.15

    def __init__(self, space: Space, rng: np.random.Generator) -> None:
        super().__init__(space, rng)
        r, p, g = space.shape
        self.current = rng.random(space.shape)
        self.squares, self.values = np.full((r, p), np.inf), np.full((r, p), -np.inf)
        self.matrices, self.vectors = np.zeros((r, p, g, g)), np.zeros((r, p, g))
        self.damping = np.full((r, p), self.first_damping)
        self.idle = np.zeros((r, p), dtype=np.int64)

    def propose(self) -> Floats:
        """Step from where each crystal is; what has not been evaluated stays."""
        self.generation += 1
        g = self.space.n_genes
        diagonal = np.einsum("rpgg->rpg", self.matrices)
        damped = self.matrices + np.eye(g) * (
            self.damping[..., None, None] * (diagonal + 0.05)[..., None] + 1e-6
        )
        step = -np.linalg.solve(damped, self.vectors[..., None])[..., 0]
        return self.space.inside(self.current + np.clip(step, -0.25, 0.25))

    def learn(self, genes: Floats, values: Floats, slopes: Slopes) -> None:
        """Accept steps that help, damp those that do not; start stuck crystals again."""
        squares, matrices, vectors = slopes(genes)
        better = squares < self.squares
        fresh = ~np.isfinite(self.squares)
        with np.errstate(invalid="ignore"):
            much = better & (squares < (1 - self.gain) * self.squares)
        self.idle = np.where(much | fresh, 0, self.idle + 1)
        self.damping = np.where(better, self.damping / 4, self.damping * 4)
        self.current = np.where(better[..., None], genes, self.current)
        self.values = np.where(better, values, self.values)
        self.matrices = np.where(better[..., None, None], matrices, self.matrices)
        self.vectors = np.where(better[..., None], vectors, self.vectors)
        self.squares = np.where(better, squares, self.squares)
        stuck = (self.idle >= self.patience) | (self.damping > self.largest_damping)
        self._restart(stuck | (self.squares < 1e-9))

    def _restart(self, stuck: NDArray[np.bool_]) -> None:
        """Start crystals from a random place, or near the best one of their row."""
        r, p, g = self.current.shape
        best = np.where(np.isfinite(self.squares), self.squares, np.inf).argmin(axis=1)
        near = self.current[np.arange(r), best][:, None]
        shaken = self.space.inside(near + self.shake * self.rng.standard_normal((r, p, g)))
        random = self.rng.random((r, p, g))
        mixed = np.where(self.rng.random((r, p, g)) < 0.5, random, shaken)
        pick = self.rng.random((r, p, 1)) < self.shaken
        stuck[np.arange(r), best] &= self.generation % 2 == 0
        places = np.where(pick, mixed, random)
        self.current = np.where(stuck[..., None], places, self.current)
        self.squares = np.where(stuck, np.inf, self.squares)
        self.vectors = np.where(stuck[..., None], 0.0, self.vectors)
        self.damping = np.where(stuck, self.first_damping, self.damping)
        self.idle = np.where(stuck, 0, self.idle)


ALGORITHMS: dict[str, type[Algorithm]] = {
    "ga": Genetic,
    "de": Differential,
    "cma-es": CovarianceMatrix,
    "gradient": Gradient,
}
"""Name -> algorithm."""
