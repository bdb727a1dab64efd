"""``python -m vasp_emulator``: run as VASP in the working folder."""

import sys

from vasp_emulator.run import main

sys.exit(main())
