"""The small language `name(number, ...)`, read once for transforms, schedules and gradient changes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.errors import InputError
from convscope.synthesis.gradients import parse_changes
from convscope.synthesis.schedule import Octaves, parse_schedule
from convscope.synthesis.terms import read_terms
from convscope.synthesis.transform_chain import parse_chain

NUMBERS = st.lists(st.floats(-1e6, 1e6, allow_nan=False), max_size=4)
TERMS = st.lists(st.tuples(st.from_regex(r"[a-z]{1,8}", fullmatch=True), NUMBERS), max_size=4)


@given(TERMS, st.sampled_from(["", " "]), st.sampled_from([" ", "\n", "  "]))
def test_what_is_written_is_read(terms: list[tuple[str, list[float]]], inner: str, outer: str) -> None:
    text = outer.join(f"{name}({inner}{f'{inner},{inner}'.join(map(repr, numbers))}{inner})" for name, numbers in terms)
    assert [(term.name, term.numbers()) for term in read_terms(text)] == terms


def test_terms_without_numbers_and_with_some_left_out() -> None:
    found = read_terms("flip pad(3)octaves(,1.4) octaves(4,)")
    assert [(term.name, term.numbers()) for term in found] == [
        ("flip", []),
        ("pad", [3.0]),
        ("octaves", [None, 1.4]),
        ("octaves", [4.0, None]),
    ]


@pytest.mark.parametrize("text", ["pad(", "pad (1)", "(1)"])
def test_parentheses_that_are_not_balanced(text: str) -> None:
    with pytest.raises(ValueError, match="balanced"):
        read_terms(text)


@pytest.mark.parametrize("number", ["a", "nan", "inf", "1_0", "1.2.3", ".", "1 2", "--1", "0x1"])
def test_what_is_no_number_is_an_error_in_one_line_wherever_it_stands(number: str) -> None:
    with pytest.raises(InputError, match=r"wrong numbers; expected \(pixels\)"):
        parse_chain(f"pad({number})")
    with pytest.raises(InputError, match="expected a whole number, then a factor"):
        parse_schedule(f"octaves({number})")
    with pytest.raises(InputError, match="the gradient is"):
        parse_changes(f"clip({number})")


@given(st.text("padoctvesclingrmwhzf().,-+e0123456789 \n", max_size=12))
def test_no_text_is_worse_than_an_input_error(text: str) -> None:
    for parse in (parse_chain, parse_schedule, parse_changes):
        with suppress(InputError):
            parse(text)


def test_a_number_left_out_of_a_schedule_is_its_own() -> None:
    assert parse_schedule("octaves(,2)") == Octaves(4, 2.0)
    assert parse_schedule("octaves( 3 , 2 )") == Octaves(3, 2.0)
