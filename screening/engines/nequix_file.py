"""Weights of Nequix: a line of JSON, then arrays; nothing in the file is unpickled or run.

The authors' format (``.nqx``): the configuration of the network as one line of JSON, followed by
the arrays of its leaves in a fixed order, each in NumPy's format.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from screening.engines.nequix_paths import Layer, layers_of
from screening.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

MAX_BYTES = 200_000_000
MAX_HEADER = 1_000_000
MAX_WIDTH, MAX_LAYERS, MAX_L = 1024, 12, 3
"""Bounds of what is read as Nequix; the published models have 128 scalars and four layers."""
_IRREP = re.compile(r"(\d{1,4})x([0-3])([eo])")


@dataclass(frozen=True)
class NequixConfig:
    """Hyperparameters of a network.

    Attributes
    ----------
    numbers
        Atomic numbers that it knows, in the order of its species.
    hidden
        Number of channels of each degree l of the features, from l = 0.
    n_layers
        Number of interaction layers.
    lmax
        Largest degree of the spherical harmonics of the edges.
    cutoff
        Longest edge (Angstrom).
    basis_size, radial_width, radial_depth
        Number of Bessel functions; width and number of hidden layers of the radial networks.
    power
        Power p of the polynomial envelope.
    scale, shift
        Unit and zero of the network's site energies (eV).
    neighbors
        Mean number of neighbours of an atom, by which sums of messages are divided.
    """

    numbers: tuple[int, ...]
    hidden: tuple[int, ...]
    n_layers: int
    lmax: int
    cutoff: float
    basis_size: int
    radial_width: int
    radial_depth: int
    power: float
    scale: float
    shift: float
    neighbors: float

    def __post_init__(self) -> None:
        """Refuse values that no such network has."""
        counts = (*self.hidden, self.basis_size, self.radial_width)
        sane = (
            all(1 <= count <= MAX_WIDTH for count in counts)
            and 1 <= self.n_layers <= MAX_LAYERS
            and 0 <= self.lmax <= MAX_L
            and 1 <= len(self.hidden) <= MAX_L + 1
            and 0 <= self.radial_depth <= MAX_LAYERS
            and 1 <= self.power <= 20
            and 0.5 <= self.cutoff <= 12
            and self.neighbors > 0
            and np.isfinite([self.scale, self.shift, self.neighbors]).all()
            and len(set(self.numbers)) == len(self.numbers)
            and all(1 <= number <= 118 for number in self.numbers)
        )
        if not (sane and self.numbers):
            raise EngineError(f"not the configuration of a Nequix network: {self}"[:500])

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> Self:
        """Read the authors' configuration.

        Raises
        ------
        EngineError
            If it is not one, or one of a variant that is not supported.
        """
        for option, expected in (("index_weights", False), ("layer_norm", True)):
            if header.get(option) is not expected:
                raise EngineError(
                    f"not a Nequix file that can be read: {option} is {header.get(option)!r}, "
                    f"must be {expected}"
                )
        try:
            return cls(
                numbers=tuple(int(number) for number in header["atomic_numbers"]),
                hidden=_channels(header["hidden_irreps"]),
                n_layers=int(header["n_layers"]),
                lmax=int(header["lmax"]),
                cutoff=float(header["cutoff"]),
                basis_size=int(header["radial_basis_size"]),
                radial_width=int(header["radial_mlp_size"]),
                radial_depth=int(header["radial_mlp_layers"]),
                power=float(header["radial_polynomial_p"]),
                scale=float(header["scale"]),
                shift=float(header["shift"]),
                neighbors=float(header["avg_n_neighbors"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EngineError(f"not the header of a Nequix file ({error!r})"[:300]) from error

    @classmethod
    def from_card(cls, arguments: Mapping[str, Any]) -> Self:
        """Read the configuration that a card keeps.

        Raises
        ------
        EngineError
            If it is not one.
        """
        try:
            values = dict(arguments["config"])
            for name in ("numbers", "hidden"):
                values[name] = tuple(int(item) for item in values[name])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise EngineError(f"not the card of a Nequix network ({error!r})"[:300]) from error

    def layers(self) -> tuple[Layer, ...]:
        """Describe the interaction layers."""
        return layers_of(len(self.numbers), self.hidden, self.lmax, self.n_layers)

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Name all arrays of the network with their shapes, in the order of the authors' files."""
        yield "atom_energies", (len(self.numbers),)
        for i, layer in enumerate(self.layers()):
            widths = [self.basis_size, *[self.radial_width] * self.radial_depth, layer.n_weights]
            for k in range(len(widths) - 1):
                yield f"layers.{i}.radial.{k}", (widths[k], widths[k + 1])
            for degree, width in enumerate(layer.inputs):
                yield f"layers.{i}.pre.{degree}", (width, width)
            for degree, width in enumerate(layer.outputs):
                yield f"layers.{i}.post.{degree}", (layer.widths[degree], width)
            for degree, width in enumerate(layer.outputs[: len(layer.inputs)]):
                yield f"layers.{i}.skip.{degree}", (layer.inputs[degree], width)
            for degree, width in enumerate(layer.outputs):
                yield f"layers.{i}.norm.{degree}", (width,)
        yield "readout", (self.hidden[0], 1)


def _channels(irreps: str) -> tuple[int, ...]:
    """Read ``128x0e + 64x1o``: degrees from 0 without gaps, of the parity of the harmonics."""
    terms = [_IRREP.fullmatch(term.strip()) for term in str(irreps).split("+")]
    natural = [
        term is not None and int(term[2]) == degree and term[3] == "eo"[degree % 2]
        for degree, term in enumerate(terms)
    ]
    if not all(natural):
        raise ValueError(f"hidden_irreps={irreps!r}")
    return tuple(int(term[1]) for term in terms if term is not None)


def read_nqx(path: Path) -> tuple[NequixConfig, dict[str, NDArray[np.float32]]]:
    """Read a file of the authors.

    Parameters
    ----------
    path
        The file, at most 200 MB.

    Returns
    -------
    The configuration, and the arrays by name (see `NequixConfig.shapes`).

    Raises
    ------
    EngineError
        If the file cannot be read, is damaged, or is something else.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise EngineError(f"cannot read {path}: {error.strerror}") from error
    if not content:
        raise EngineError(f"{path} has {size} bytes: not a Nequix file")
    return parse_nqx(content, str(path))


def parse_nqx(content: bytes, label: str) -> tuple[NequixConfig, dict[str, NDArray[np.float32]]]:
    """Read the content of a file of the authors; `label` names it in messages, see `read_nqx`."""
    end = content.find(b"\n", 0, MAX_HEADER)
    try:
        header = json.loads(content[: max(end, 0)])
    except (ValueError, RecursionError) as error:
        raise EngineError(f"{label} is not a Nequix file: no JSON in its first line") from error
    if not isinstance(header, dict):
        raise EngineError(f"{label} is not a Nequix file: no JSON object in its first line")
    config = NequixConfig.from_header(header)
    stream = io.BytesIO(content[end + 1 :])
    # some files repeat their configuration after the last array
    return config, {name: _array(stream, name, shape, label) for name, shape in config.shapes()}


def _array(
    stream: io.BytesIO, name: str, shape: tuple[int, ...], label: str
) -> NDArray[np.float32]:
    try:
        array = np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        raise EngineError(f"{label} is damaged: no array {name!r} ({error})"[:300]) from error
    if (
        not isinstance(array, np.ndarray)
        or array.shape != shape
        or array.dtype != np.float32
        or not np.isfinite(array).all()
    ):
        raise EngineError(f"{label} is damaged: {name!r} must be {shape} finite 32-bit numbers")
    return array
