"""Compiled loops behind `screening.balance.rules`.

Neutrality is a subset-sum problem with small numbers. The sums that the first k elements can reach
are the bits of a few 64-bit words; adding an element with n atoms ORs one copy per oxidation state
q, shifted by n q. Electronegativity balance holds exactly when there is a cut in the order of
electronegativities with only non-negative states below and only non-positive ones above it; so the
sums of the cations below and of the anions above must meet in one bit at some cut. The cost grows
with elements x states, not with their product, and there is no bound on the amounts.

A row is passed as `atoms`: atomic numbers by ascending electronegativity (unknown last) and reduced
amounts, two integer arrays. Functions take rows of tables as table and index, because slices cost
more here than the sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from screening.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.balance.tables import Options, Rules

    Ints: TypeAlias = NDArray[np.int64]
    Floats: TypeAlias = NDArray[np.float64]
    Bits: TypeAlias = NDArray[np.uint64]
    Mask: TypeAlias = NDArray[np.bool_]
    Atoms: TypeAlias = tuple[Ints, Ints]

CODES = range(9)
BALANCED, ELEMENT, ALLOY, METALLIC, MIXED, NOT_NEUTRAL, NEGATIVITY, NO_STATE, NO_NEGATIVITY = CODES
"""Codes of `screening.schemas.ValidityReason` as compile-time constants."""

_FAR = 1 << 30
"""More atoms than any amount: a sum that cannot be reached."""


@compiled
def judge_all(
    numbers: NDArray[np.uint8], counts: NDArray[np.uint16], rules: Rules, options: Options
) -> NDArray[np.uint8]:
    """Judge all rows; see `rules.balance_codes`. Returns codes, shape ``(n,)``, uint8."""
    codes = np.empty(len(numbers), dtype=np.uint8)
    width = numbers.shape[1]
    zs = np.empty(width, dtype=np.int64)
    amounts = np.empty(width, dtype=np.int64)
    bits = np.zeros((width + 2, 4), dtype=np.uint64)
    for row in range(len(numbers)):
        m = _unpack(numbers[row], counts[row], rules.negativity, (zs, amounts))
        atoms = (zs[:m], amounts[:m])
        code = _code_without_sums(atoms[0], rules, options)
        if code == NOT_NEUTRAL:
            spans = _spans(atoms, rules)
            words = max(spans) // 64 + 1
            if words > bits.shape[1]:
                bits = np.zeros((width + 2, words), dtype=np.uint64)
            code = _code_by_sums(atoms, rules, options, bits, spans)
        codes[row] = code
    return codes


@compiled
def _unpack(
    numbers: NDArray[np.uint8], counts: NDArray[np.uint16], negativity: Floats, atoms: Atoms
) -> int:
    """Read one row into `atoms`, reduced and sorted; returns the number of elements."""
    zs, amounts = atoms
    m = 0
    divisor = np.int64(0)
    for j in range(len(numbers)):
        z, n = np.int64(numbers[j]), np.int64(counts[j])
        if z == 0 or n == 0:
            continue
        a, divisor = divisor, n
        while a:
            a, divisor = divisor % a, a
        k = m
        while k > 0 and (negativity[zs[k - 1]] > negativity[z] or np.isnan(negativity[zs[k - 1]])):
            zs[k], amounts[k] = zs[k - 1], amounts[k - 1]
            k -= 1
        zs[k], amounts[k] = z, n
        m += 1
    if divisor > 1:
        for k in range(m):
            amounts[k] //= divisor
    return m


@compiled
def _code_without_sums(zs: Ints, rules: Rules, options: Options) -> int:
    """Return the code of rows that need no sums, NOT_NEUTRAL for the others."""
    if len(zs) == 1:
        return ELEMENT
    all_metal = len(zs) > 0
    any_empty = len(zs) == 0
    for z in zs:
        all_metal &= rules.is_metal[z]
        any_empty |= rules.states[z, 0] < 0
    if options.alloys and all_metal:
        return ALLOY
    return NO_STATE if any_empty else NOT_NEUTRAL


@compiled
def _spans(atoms: Atoms, rules: Rules) -> tuple[int, int]:
    """Return the largest sum that matters at a cut, and the neutral sum of `Rules.states`."""
    positive = negative = neutral = 0
    for k in range(len(atoms[0])):
        z, n = atoms[0][k], atoms[1][k]
        positive += n * rules.most_cation[z]
        negative += n * rules.most_anion[z]
        neutral -= n * rules.lowest[z]
    return min(positive, negative), neutral


@compiled
def _code_by_sums(
    atoms: Atoms, rules: Rules, options: Options, bits: Bits, spans: tuple[int, int]
) -> int:
    """Return the code of one row by its sums; `bits` is room for `_spans`."""
    pauling = options.pauling
    known = not np.isnan(rules.negativity[atoms[0][-1]])
    if pauling and known and _has_cut(atoms, rules, bits, spans[0]):
        return BALANCED
    neutral = _is_neutral(atoms, rules, bits, spans[1])
    if neutral and not pauling:
        return BALANCED
    if options.mixed_valence and _may_mix(atoms, rules, options.limit):
        neutral = neutral or _is_mixed_neutral(atoms, rules, spans[1])
        if neutral and (not pauling or (known and _has_mixed_cut(atoms, rules, spans[0]))):
            return MIXED
    if not neutral:
        return NOT_NEUTRAL
    return NEGATIVITY if known else NO_NEGATIVITY


@compiled
def _extend(bits: Bits, step: tuple[int, int, int], states: Ints, z: int, n: int) -> None:
    """Write to a row of `bits` the sums of another plus one of ``states[z]`` times `n`.

    `step` is the row written, the row read and the number of words.
    """
    out, source, words = step
    for w in range(words):
        bits[out, w] = 0
    for j in range(states.shape[1]):
        if states[z, j] < 0:
            break
        shift = states[z, j] * n
        jump = shift >> 6
        low = np.uint64(shift & 63)
        for w in range(jump, words):
            bits[out, w] |= bits[source, w - jump] << low
            if low and w > jump:
                bits[out, w] |= bits[source, w - jump - 1] >> (np.uint64(64) - low)


@compiled
def _is_cut(zs: Ints, negativity: Floats, k: int) -> bool:
    """Tell whether the elements before `k` are all less electronegative than the others."""
    return k in (0, len(zs)) or bool(negativity[zs[k - 1]] < negativity[zs[k]])


@compiled
def _has_cut(atoms: Atoms, rules: Rules, bits: Bits, span: int) -> bool:
    """Tell whether cations below and anions above some cut can carry equal charge."""
    zs, amounts = atoms
    m = len(zs)
    words = span // 64 + 1
    bits[m : m + 2, :words] = 0
    bits[m : m + 2, 0] = 1
    for k in range(m - 1, -1, -1):  # row k: sums of the anions k, k + 1, ...
        _extend(bits, (k, k + 1, words), rules.anions, zs[k], amounts[k])
    cations = m + 1
    for k in range(m + 1):
        if _is_cut(zs, rules.negativity, k):
            for w in range(words):
                if bits[cations, w] & bits[k, w]:
                    return True
        if k < m:  # row k has been read: from here it holds the sums of the cations up to k
            _extend(bits, (k, cations, words), rules.cations, zs[k], amounts[k])
            cations = k
    return False


@compiled
def _is_neutral(atoms: Atoms, rules: Rules, bits: Bits, target: int) -> bool:
    """Tell whether any choice of one state per element sums to zero (`target` from the lowest)."""
    if target < 0:
        return False
    zs, amounts = atoms
    words = target // 64 + 1
    bits[0, :words] = 0
    bits[0, 0] = 1
    for k in range(len(zs)):
        _extend(bits, ((k + 1) % 2, k % 2, words), rules.states, zs[k], amounts[k])
    word = bits[len(zs) % 2, target >> 6]
    return bool((word >> np.uint64(target & 63)) & np.uint64(1))


@compiled
def _may_mix(atoms: Atoms, rules: Rules, limit: float) -> bool:
    """Tell whether an element may be of mixed valence and the combinations are within `limit`."""
    any_mixed = False
    combinations = 1.0
    for k in range(len(atoms[0])):
        z = atoms[0][k]
        n_states = float((rules.states[z] >= 0).sum())
        any_mixed |= rules.is_mixed[z]
        combinations *= n_states ** atoms[1][k] if rules.is_mixed[z] else n_states
    return any_mixed and combinations <= limit


@compiled
def _spread(reach: Mask, states: Ints, n: int, unit: int) -> Mask:
    """Return the sums of `reach` plus `n` atoms that take their states in groups of `unit`.

    All atoms start in the lowest state; ``groups[s]`` is the least number of groups that must be
    raised to reach the sum s, which is possible when there are that many.
    """
    out = np.zeros_like(reach)
    if states[0] < 0:
        return out
    groups = np.full(len(reach), _FAR, dtype=np.int64)
    start = n * states[0]
    for s in range(start, len(reach)):
        if reach[s - start]:
            groups[s] = 0
        for state in states[1:]:
            rise = (state - states[0]) * unit
            if state < 0 or rise > s:
                break
            groups[s] = min(groups[s], groups[s - rise] + 1)
        out[s] = groups[s] * unit <= n
    return out


@compiled
def _has_mixed_cut(atoms: Atoms, rules: Rules, span: int) -> bool:
    """`_has_cut` where the atoms of `Rules.is_mixed` take their states one by one."""
    zs, amounts = atoms
    m = len(zs)
    anions = np.zeros((m + 1, span + 1), dtype=np.bool_)
    anions[m, 0] = True
    for k in range(m - 1, -1, -1):
        unit = 1 if rules.is_mixed[zs[k]] else amounts[k]
        anions[k] = _spread(anions[k + 1], rules.anions[zs[k]], amounts[k], unit)
    cations = anions[m].copy()
    for k in range(m + 1):
        if _is_cut(zs, rules.negativity, k) and (cations & anions[k]).any():
            return True
        if k < m:
            unit = 1 if rules.is_mixed[zs[k]] else amounts[k]
            cations = _spread(cations, rules.cations[zs[k]], amounts[k], unit)
    return False


@compiled
def _is_mixed_neutral(atoms: Atoms, rules: Rules, target: int) -> bool:
    """`_is_neutral` where the atoms of `Rules.is_mixed` take their states one by one."""
    if target < 0:
        return False
    reach = np.zeros(target + 1, dtype=np.bool_)
    reach[0] = True
    for k in range(len(atoms[0])):
        z, n = atoms[0][k], atoms[1][k]
        reach = _spread(reach, rules.states[z], n, 1 if rules.is_mixed[z] else n)
    return bool(reach[target])
