"""Private folder of compiled kernels, chosen before numba is imported.

numba unpickles what it finds in its cache, and reads a ``.numba_config.yaml`` of the working folder
that may point the cache anywhere. A cache must be as trusted as the code, so it is a folder of this
user alone, and the variable that names it comes before any file.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"


def use_private_cache(version: str) -> None:
    """Point numba to a folder that only this user can write.

    A folder that the user has named is kept. Each version has its own, because kernels of another
    version may be typed on classes that have moved.

    Parameters
    ----------
    version
        Version of this package.
    """
    if os.environ.get(VARIABLE):
        return
    home = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    folders = (
        Path(home) / "screening" / f"kernels-{version}",
        Path(tempfile.gettempdir()) / f"screening-kernels-{os.getuid()}-{version}",
    )
    for folder in folders:
        if _make_private(folder):
            os.environ[VARIABLE] = str(folder)
            return


def _make_private(folder: Path) -> bool:
    """Make a folder with mode 0700; False if it cannot be written or belongs to somebody else."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return False
    is_private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o022
    return is_private and status.st_uid == os.getuid() and os.access(folder, os.W_OK)
