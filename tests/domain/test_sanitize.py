"""Foreign text is harmless once it is cleaned."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.sanitize import cap_text, excerpt, one_line, plain_note, quote_value, strip_controls

FOREIGN = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x00\x07\x1b\x7f\x85\x9b\r\n\t\u2028\u2029\u202a\u202e\u2066\u2069\u200f\ud800"),
    )
)


@given(FOREIGN)
def test_no_control_or_direction_character_survives_cleaning(text: str) -> None:
    for char in strip_controls(text):
        assert char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs"), repr(char)


@given(FOREIGN)
def test_flat_text_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


@given(st.text(st.characters(categories=("L", "N", "P", "S"))))
def test_harmless_text_is_left_alone(text: str) -> None:
    assert strip_controls(text) == text


def test_line_ends_survive_cleaning() -> None:
    assert strip_controls("one\r\ntwo\nthree\u2028four") == "one\ntwo\nthree\nfour"


@pytest.mark.parametrize(
    ("foreign", "plain"),
    [
        ("a\x00\x1b[31mb\x9b\x7f", "a[31mb"), ("a\tb", "a b"), ("a\r\nb\u2028c\x85d\re", "a\nb\nc\nd\ne"),
        ("\u202eab\u2066\u200b\ufeff\u00ad", "ab"), ("\ud800x\udfff", "x"), ("  a \n", "a"),
        ("−5 % … naïve 語", "−5 % … naïve 語"),
    ],
)  # fmt: skip
def test_words_are_cleaned(foreign: str, plain: str) -> None:
    assert strip_controls(foreign).strip() == plain


def test_a_cut_is_shown() -> None:
    assert cap_text("abcdef", 4) == "abc…"
    assert excerpt("a\n" * 1000, 5) == "a a …"


def test_a_note_for_a_prompt_holds_no_address() -> None:
    assert (
        plain_note("ＣＰＩ see https://a.b/c, me@x.org\nor /home/me/x") == "CPI see (left out) (left out) or (left out)"
    )
    assert plain_note("x" * 300) == "x" * 197 + "..."


def test_a_quoted_value_is_short_ascii() -> None:
    assert quote_value("a\x1b\u202e") == r"'a\x1b\u202e'"
    assert len(quote_value("x" * 100)) == 40
