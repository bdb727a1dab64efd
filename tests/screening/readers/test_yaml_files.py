"""YAML from strangers: no name twice, few aliases, little depth, plain values."""

import pytest
import yaml

from screening.readers.yaml_files import load_yaml


def test_plain_documents():
    text = "a: 1\nb: [x, 2.5, null]\nc: {d: &one {e: 1}, f: *one}\n"
    assert load_yaml(text) == {"a": 1, "b": ["x", 2.5, None], "c": {"d": {"e": 1}, "f": {"e": 1}}}
    assert load_yaml("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n")["y"] == {"a": 1, "b": 3}
    assert load_yaml("") is None


def laughs(levels):
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' is given twice, first in line 1"),
        ("x:\n  a: 1\n  a: 1\n", 3, "'a' is given twice"),
        ("x: {y: [{a: 1, a: 2}]}", 1, "'a' is given twice"),
        (laughs(8), 4, "more than 20 aliases"),
        ("[" * 5000 + "]" * 5000, 1, "more than 30 deep"),
        ("a: !!python/object/apply:os.system [ls]", 1, "could not determine a constructor"),
    ],
)
def test_refused_documents(text, line, message):
    with pytest.raises(yaml.MarkedYAMLError, match=message) as caught:
        load_yaml(text)
    assert caught.value.problem_mark.line + 1 == line
