"""YAML files: faults with places, whatever stands in the file; never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.errors import FileFaults, InputError
from streams.yamlfile import MAX_NESTING, Node, Source, read_yaml, suggest


def read(text: str | bytes) -> tuple[Source, Node]:
    return read_yaml("a.yaml", text.encode() if isinstance(text, str) else text)


def faults(text: str | bytes) -> list[str]:
    """The faults of reading alone, in order."""
    try:
        source, _ = read(text)
        source.check()
    except FileFaults as error:
        return str(error).splitlines()
    return []


def test_scalars_are_read_by_their_text() -> None:
    source, root = read("no: no\n010: 010\nnothing:\nnull_: ~\nquoted: '5'\ndate: 2022-04-01\n")
    assert {key.text: value.text for key, value in root.items()} == {
        "no": "no",
        "010": "010",
        "nothing": "",
        "null_": "~",
        "quoted": "5",
        "date": "2022-04-01",
    }
    number = root.get("010")
    assert number is not None
    assert number.integer("it") == 10
    source.check()


def test_places_count_characters_from_one() -> None:
    _, root = read("a: {en: 中文字, zh: [x, y]}\n😀: b\n")
    inner = root.get("a")
    assert inner is not None
    listed = inner.get("zh")
    assert listed is not None
    assert (inner.line, inner.column) == (1, 4)
    assert (listed.line, listed.column) == (1, 18)
    face = root.get("😀")
    assert face is not None
    assert (face.line, face.column) == (2, 4)


def test_a_byte_order_mark_has_no_column() -> None:
    _, root = read("\ufeffa: 1\n")
    value = root.get("a")
    assert value is not None
    assert (root.column, value.column) == (1, 4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3:1: the key `a` stands twice"),
        ('a: 1\n"a": 3\n', "a.yaml:2:1: the key `a` stands twice"),
        ("? [x]\n: y\n", "a.yaml:1:3: a key must be a plain text, not a list"),
        (
            "a: !!str 5\n",
            "a.yaml:1:4: the tag `!!str` has no meaning here: values are read by their text, drop it",
        ),
        (
            "a: !!python/object:os.system x\n",
            (
                "a.yaml:1:4: the tag `!!python/object:os.system` has no meaning here: "
                "values are read by their text, drop it"
            ),
        ),
        (
            "a: !x [1]\n",
            "a.yaml:1:4: the tag `!x` has no meaning here: values are read by their text, drop it",
        ),
        ("a: 1\n---\nb: 2\n", "a.yaml:2:1: a second YAML document begins here: one is read"),
        ("a: &x [*x]\n", "a.yaml:1:8: the alias `*x` stands inside what it names"),
        ("a: &x\n  b: {c: *x}\n", "a.yaml:2:10: the alias `*x` stands inside what it names"),
        ("a: *y\n", "a.yaml:1:4: unknown anchor `y`"),
        ("a: b\x01\n", "a.yaml:1:5: broken YAML: the character U+0001 is not allowed"),
        ("a: 中\n  b\x7f\n", "a.yaml:2:4: broken YAML: the character U+007F is not allowed"),
        (
            "a:\n\t- b\n",
            (
                "a.yaml:2:1: broken YAML: while scanning for the next token, found character that cannot "
                "start any token"
            ),
        ),
        (
            "a: [1, 2\n",
            "a.yaml:2:1: broken YAML: while parsing a flow sequence, did not find expected ',' or ']'",
        ),
        ("a: b: c\n", "a.yaml:1:5: broken YAML: mapping values are not allowed in this context"),
        ("", "a.yaml:1:1: the file is empty: expected a mapping"),
        ("# nothing\n", "a.yaml:1:1: the file is empty: expected a mapping"),
        (b"a: 1\nb: \xff\n", "a.yaml:2:4: the file is not UTF-8 text: save it as UTF-8"),
        (
            "a: '中'\nb: 中\ud800".encode(errors="surrogatepass"),
            ("a.yaml:2:5: the file is not UTF-8 text: save it as UTF-8"),
        ),
    ],
)
def test_faults_have_places(text: str | bytes, expected: str) -> None:
    assert faults(text) == [expected]


@pytest.mark.parametrize("text", ["[" * 5000, "a: " + "[" * 70 + "]" * 70, "- " * 3000, "{a: " * 500])
def test_huge_nesting_is_a_fault(text: str) -> None:
    (fault,) = faults(text)
    assert "nest" in fault


def test_nesting_up_to_the_limit_is_read() -> None:
    assert faults("[" * MAX_NESTING + "]" * MAX_NESTING) == []


def test_aliases_share_what_they_name_and_do_not_multiply() -> None:
    """A billion laughs is one laugh, shared; what is wrong with it is reported once."""
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    source, root = read("\n".join(lines))
    assert len(root.keys()) == 40
    source.check()
    _, root = read("a: &x {k: 1}\nb: *x\n")
    assert root.get("a") is root.get("b")


def test_a_merge_key_is_a_key_like_any_other() -> None:
    _, root = read("a: &x {k: 1}\nb:\n  <<: *x\n")
    merged = root.get("b")
    assert merged is not None
    assert merged.keys() == ["<<"]


def test_every_fault_is_reported_at_once_in_the_order_of_the_file() -> None:
    source, root = read("b: x\na: 5\na: 6\nc: !!int 1\n")
    root.mapping("it", ("z",), ("a", "c"))
    with pytest.raises(FileFaults) as caught:
        source.check()
    assert [(fault.line, fault.message) for fault in caught.value.faults] == [
        (1, "it lacks the key `z`"),
        (1, "unknown key `b` in it"),
        (3, "the key `a` stands twice"),
        (4, "the tag `!!int` has no meaning here: values are read by their text, drop it"),
    ]


def test_files_that_cannot_be_read_are_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_yaml(tmp_path / "nowhere.yaml")
    with pytest.raises(InputError, match="Is a directory"):
        read_yaml(tmp_path)


@pytest.mark.parametrize("text", ["1_000", "1e3", "0x10", "+1", ".5", "5.", "", "１"])
def test_what_is_no_number(text: str) -> None:
    source, root = read(f"a: '{text}'\n")
    value = root.get("a")
    assert value is not None
    assert value.number("it") is None
    assert len(source.faults) == 1


def test_absurd_numbers_are_faults() -> None:
    source, root = read(f"a: {'1' * 5000}\nb: {'1' * 5000}d\n")
    for name in ("a", "b"):
        value = root.get(name)
        assert value is not None
        assert value.number("it") is None
        assert value.days("it") is None
    assert len(source.faults) == 4


def test_suggestions() -> None:
    assert suggest("helth", ["health", "care"]) == "did you mean `health`? one of: care, health"
    assert suggest("zzz", ["health"]) == "one of: health"
    assert suggest("zzz", [f"name{n}" for n in range(20)]) == ""


@given(st.text(st.characters(codec="utf-8"), max_size=40) | st.text("a:-[]{}&*!|>'\"#%@ \n\t?,", max_size=60))
@settings(max_examples=400)
def test_any_text_is_read_or_a_fault(text: str) -> None:
    try:
        source, root = read(text)
    except FileFaults as error:
        found = error.faults
    else:
        assert root.kind in ("scalar", "list", "mapping")
        found = tuple(source.faults)
    for fault in found:
        assert fault.line >= 1
        assert fault.column >= 1
        assert "\n" not in fault.message
