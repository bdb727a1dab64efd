"""POTCAR stubs: headers of our own, with nothing of VASP's data behind them."""

from pathlib import Path

from ase.data import chemical_symbols

SUFFIXES = ("", "_pv", "_sv", "_d", "_h", "_s", "_2", "_3", "_GW")
SEMICORE = {"_pv": 6, "_sv": 8, "_d": 10}
FOLDERS = ("POT_GGA_PAW_PBE", "POT_GGA_PAW_PBE_52", "POT_GGA_PAW_PBE_54", "POT_PAW_PBE_64")
NOBLE = (0, 2, 10, 18, 36, 54, 86)

TEMPLATE = """  PAW_PBE {symbol} STUB
   {zval:.12f}
 parameters from PSCTR are:
   VRHFIN ={element}: stub
   LEXCH  = PE
   EATOM  =   100.0000 eV
   TITEL  = PAW_PBE {symbol} STUB
   LULTRA =        F    use ultrasoft PP ?
   IUNSCR =        1    unscreen: 0-lin 1-nonlin 2-no
   POMASS =    1.000; ZVAL   =    {zval:.3f}    mass and valenz
   ENMAX  =  {enmax:.3f}; ENMIN  =  {enmin:.3f} eV
   LPAW   =        T    paw PP
 END of PSCTR-controll parameters
 local part
  0.0
 End of Dataset
"""


def stub_potcar(symbol):
    """Return the text of a stub such as ``Na_pv``; its valence is counted, its cut-off constant."""
    element, _, suffix = symbol.partition("_")
    zval = float(suffix) if suffix.isdigit() else _valence(element) + SEMICORE.get(f"_{suffix}", 0)
    return TEMPLATE.format(symbol=symbol, element=element, zval=zval, enmax=300.0, enmin=225.0)


def _valence(element):
    """Count electrons outside of the noble gas, and of a full d or f shell."""
    number = chemical_symbols.index(element)
    count = number - max(core for core in NOBLE if core < number)
    if number > 54 and count > 17:
        count -= 14
    return float(count - 10 if count > 12 else count)


def write_stub_potcars(folder):
    """Fill a folder for ``PMG_VASP_PSP_DIR`` with stubs of all elements up to Pu."""
    first, *others = (Path(folder) / name for name in FOLDERS)
    first.mkdir(parents=True)
    for element in chemical_symbols[1:95]:
        for suffix in SUFFIXES:
            (first / f"POTCAR.{element}{suffix}").write_text(stub_potcar(element + suffix))
    for other in others:
        other.symlink_to(first.name, target_is_directory=True)
    return Path(folder)
