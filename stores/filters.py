"""Queries in the OPTIMADE filter grammar, such as ``elements HAS "Mn" AND energy_above_hull<0.05``.

Parsed and translated to MongoDB by the `optimade` library (doi:10.1038/s41597-021-00974-z). Only
fields of the document are known, and text is always matched literally.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from screening.errors import InputError
from screening.readers.limits import excerpt
from stores.collections import COLLECTIONS
from stores.filter_values import check_values

if TYPE_CHECKING:
    from lark import Lark

ALIASES = {
    "materials": {
        "id": "material_id",
        "chemical_formula_reduced": "formula_pretty",
        "formula": "formula_pretty",
        "spacegroup_number": "symmetry.number",
        "space_group_it_number": "symmetry.number",
        "space_group": "symmetry.symbol",
        "e_above_hull": "energy_above_hull",
        "e_hull": "energy_above_hull",
        "e_form": "formation_energy_per_atom",
        "phonons": "dynamic_stability",
        "last_modified": "last_updated",
    },
    "structures": {
        "id": "structure_id",
        "chemical_formula_reduced": "formula",
        "formula_pretty": "formula",
        "spacegroup_number": "symmetry.number",
        "space_group": "symmetry.symbol",
    },
    "candidates": {
        "id": "candidate_id",
        "chemical_formula_reduced": "formula",
        "formula_pretty": "formula",
        "formation_energy_per_atom": "energy.formation_energy_per_atom",
    },
}
"""Other names of fields, per collection."""
WITHIN = "#within"
LARGEST = 2**63 - 1
"""Largest number of a filter."""
MAX_LENGTH = 2000
MAX_DEPTH = 40
"""Bounds of a filter: characters, and brackets inside each other. Parsing takes 0.4 s for 1,000
characters, and recursion for each bracket."""
FORBIDDEN = {"structure", "provenance", "config"}


def field_names(collection: str) -> dict[str, str]:
    """Map the names that a filter may use to the fields of the documents."""
    fields = COLLECTIONS[collection].schema.model_fields
    own = {name: name for name in fields if name not in FORBIDDEN}
    return own | ALIASES.get(collection, {})


def check_bounds(text: str) -> None:
    """Refuse a filter that would take too long, or too deep a recursion, to parse.

    Raises
    ------
    InputError
        If it is longer than `MAX_LENGTH` or its brackets are deeper than `MAX_DEPTH`.
    """
    if len(text) > MAX_LENGTH:
        raise InputError(
            f"the filter has {len(text):,} characters, at most {MAX_LENGTH:,} are read: ask twice"
        )
    depth = 0
    for character in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        depth += (character == "(") - (character == ")")
        if depth > MAX_DEPTH:
            raise InputError(
                f"the filter has more than {MAX_DEPTH} brackets inside each other: write it flatter"
            )


@cache
def filter_parser() -> Lark:
    """Build the parser; the library's grammar drops which of TRUE and FALSE was written."""
    from lark import Lark
    from optimade.filterparser.lark_parser import AVAILABLE_PARSERS

    grammar = AVAILABLE_PARSERS[1, 2, 0]["default"].read_text(encoding="utf-8")
    named = grammar.replace('bool: ( "TRUE" | "FALSE" )', "bool: TRUE | FALSE")
    if named != grammar:
        named += '\nTRUE: "TRUE"\nFALSE: "FALSE"\n'
    return Lark(named, maybe_placeholders=False)


def _explicit(query: Any) -> Any:
    """Write ``{field: value}`` as ``{field: {"$eq": value}}``, which can be negated."""
    if not isinstance(query, dict):
        return query
    return {
        key: [_explicit(item) for item in value]
        if isinstance(value, list) and key in {"$and", "$or"}
        else value
        if isinstance(value, dict) or key.startswith(("$", "#"))
        else {"$eq": value}
        for key, value in query.items()
    }


def _expand_within(query: Any) -> Any:
    """Write HAS ONLY: at least one of these values, and no other."""
    if isinstance(query, list):
        return [_expand_within(item) for item in query]
    if not isinstance(query, dict):
        return query
    if WITHIN in query:
        values = query[WITHIN]
        return {"$in": values, "$not": {"$elemMatch": {"$nin": values}}}
    return {key: _expand_within(value) for key, value in query.items()}


def _decide_type(query: Any) -> Any:
    """Answer what asks for the ``type`` of an entry: all are structures, and none has the field."""
    if isinstance(query, list):
        return [_decide_type(item) for item in query]
    if not isinstance(query, dict):
        return query
    if "type" in query:
        from mongomock.filtering import filter_applies

        holds = filter_applies({"type": query["type"]}, {"type": "structures"})
        rest = {key: _decide_type(value) for key, value in query.items() if key != "type"}
        return rest if holds else {"$nor": [{}]}
    return {key: _decide_type(value) for key, value in query.items()}


def _refuse_large_numbers(query: Any) -> None:
    """Refuse numbers that MongoDB cannot hold: integers of more than 64 bits, and infinity."""
    from optimade.exceptions import BadRequest

    if isinstance(query, (list, dict)):
        for item in query.values() if isinstance(query, dict) else query:
            _refuse_large_numbers(item)
    elif isinstance(query, (int, float)) and not -LARGEST <= query <= LARGEST:
        raise BadRequest(detail=f"{excerpt(str(query), 40)} is too large: numbers have 64 bits")


def literal_transformer(mapper: Any = None) -> Any:
    """Make a transformer to MongoDB's queries that takes text literally.

    Parameters
    ----------
    mapper
        Names of the fields, for an OPTIMADE server.
    """
    from optimade.exceptions import BadRequest
    from optimade.filtertransformers.mongo import MongoTransformer

    class Transformer(MongoTransformer):
        """Mends four things of the library.

        Operands of CONTAINS and its like are not patterns, TRUE and FALSE differ, and HAS ONLY and
        LENGTH may be negated.
        """

        def fuzzy_string_op_rhs(self, arg: list[Any]) -> Any:
            return super().fuzzy_string_op_rhs([*arg[:-1], re.escape(str(arg[-1]))])

        def bool(self, arg: list[Any]) -> bool:
            return str(arg[0]) == "TRUE"

        def set_op_rhs(self, arg: list[Any]) -> Any:
            if len(arg) == 3 and arg[1] == "ONLY":
                return {WITHIN: arg[2]}
            return super().set_op_rhs(arg)

        def expression_phrase(self, arg: list[Any]) -> Any:
            return super().expression_phrase([*arg[:-1], _explicit(arg[-1])])

        def postprocess(self, query: dict[str, Any]) -> Any:
            try:
                processed = super().postprocess(query)
            except (ValueError, OverflowError) as error:
                raise BadRequest(detail=f"a value cannot be read: {error}") from None
            _refuse_large_numbers(processed)
            return _decide_type(_expand_within(processed))

    return Transformer(mapper=mapper)


@cache
def _date_fields(collection: str) -> frozenset[str]:
    fields = COLLECTIONS[collection].schema.model_fields
    return frozenset(name for name, field in fields.items() if field.annotation is datetime)


def _read_dates(query: Any, fields: frozenset[str]) -> Any:
    """Turn ISO dates that are compared with a date field into datetimes."""
    if isinstance(query, list):
        return [_read_dates(item, fields) for item in query]
    if not isinstance(query, dict):
        return query
    result = {key: _read_dates(value, fields) for key, value in query.items()}
    for key in fields & result.keys():
        for operator, value in result[key].items():
            if isinstance(value, str):
                try:
                    result[key][operator] = datetime.fromisoformat(value)
                except ValueError:
                    raise InputError(
                        f"{value!r} is not a date such as 2026-01-31T12:00:00Z"
                    ) from None
    return result


def parse_filter(text: str, collection: str = "materials") -> dict[str, Any]:
    """Translate a filter to a MongoDB query.

    Parameters
    ----------
    text
        The filter; empty matches everything.
    collection
        Whose fields it names.

    Raises
    ------
    InputError
        If the filter is too long or cannot be parsed, names an unknown field, compares a field with
        what it cannot be, or uses what is not supported.
    """
    if not text.strip():
        return {}
    check_bounds(text)
    from lark.exceptions import UnexpectedEOF, UnexpectedInput, VisitError
    from optimade.exceptions import BadRequest
    from optimade.filtertransformers.mongo import Quantity

    names = field_names(collection)
    transformer = literal_transformer()
    quantities = {name: Quantity(name=name, backend_field=field) for name, field in names.items()}
    if "elements" in quantities and "nelements" in quantities:
        quantities["elements"].length_quantity = quantities["nelements"]
    transformer.quantities = quantities
    try:
        query: dict[str, Any] = transformer.transform(filter_parser().parse(text))
    except UnexpectedInput as error:
        where = "its end" if isinstance(error, UnexpectedEOF) else f"column {error.column}"
        raise InputError(
            f"filter {text!r} is not valid near {where}: write for instance "
            'elements HAS ALL "Mn","S" AND energy_above_hull<0.05'
        ) from None
    except BadRequest as error:
        raise InputError(_explain(text, str(error.detail), names)) from None
    except VisitError as error:  # what a rule of the transformer raised
        detail = getattr(error.orig_exc, "detail", error.orig_exc)
        raise InputError(_explain(text, str(detail), names)) from None
    checked = check_values(query, collection)
    translated: dict[str, Any] = _read_dates(checked, _date_fields(collection))
    return translated


def _explain(text: str, detail: str, names: dict[str, str]) -> str:
    unknown = re.search(r"'(\w+)' is not a known", detail)
    if unknown:
        return f"filter {text!r}: unknown field {unknown[1]!r}; known are {sorted(names)}"
    return f"filter {text!r}: {detail}"
