"""The science of Screening: pure functions between documents, arrays and structures.

Nothing in this package talks to a database or to a workflow engine. One package per stage
(`generation`, `validity`, `energy`, `symmetry`, `structure`, `relax`, `hull`, `phonon`); stages
never import each other, they meet in `screening.schemas`.
"""

from screening.kernel_cache import use_private_cache

__version__ = "0.1.0"

use_private_cache(__version__)  # before anything imports numba
