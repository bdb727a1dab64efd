"""How the emulator stops."""


class VaspError(Exception):
    """VASP would write this message and stop."""
