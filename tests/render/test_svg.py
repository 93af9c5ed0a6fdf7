"""Pictures as SVG text: scales that hold their values, round ticks, and nothing outside the picture."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.render.svg import HEIGHT, MAX_POINTS, MAX_TICKS, ROW_HEIGHT, WIDTH, Plot, Scale, nice_range, outline, ticks

AMOUNTS = st.floats(-1e7, 1e7, allow_subnormal=False)


@given(values=st.lists(AMOUNTS, max_size=20), with_zero=st.booleans())
def test_a_range_holds_its_values_and_is_never_empty(values: list[float], with_zero: bool) -> None:
    low, high = nice_range(values, with_zero=with_zero)
    assert low < high and all(low <= value <= high for value in values)
    assert not with_zero or low <= 0 <= high


@given(low=AMOUNTS, width=st.floats(1e-3, 1e7))
def test_ticks_are_few_round_and_inside(low: float, width: float) -> None:
    high = low + width
    marks = ticks(low, high)
    # A mark may stand a rounding outside: at 1e7 a step of a thousandth is known to 2e-9.
    slack = 1e-6 + 1e-8 * width
    assert len(marks) <= MAX_TICKS + 1 and all(low - slack <= mark <= high + slack for mark in marks)
    if len(marks) > 1:
        assert f"{marks[1] - marks[0]:.1e}"[:3] in {"1.0", "2.0", "5.0"}


def test_ticks_of_shares_and_dollars_are_those_that_a_person_would_write() -> None:
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(-1742, 210) == [-1500, -1000, -500, 0]


def test_a_scale_maps_its_ends_and_the_middle() -> None:
    scale = Scale(-1, 3, 100, 0)
    assert [scale.place(value) for value in (-1, 1, 3)] == [100, 50, 0]


def test_a_picture_has_title_description_and_its_marks_inside() -> None:
    plot = Plot((0, 10), (-5, 5))
    plot.draw_y_axis(str, (-5, 0, 5))
    plot.draw_x_axis(str, (0, 10))
    plot.draw("polyline", [(0, -5), (10, 5)], "line")
    plot.draw("polygon", [(0, 0), (5, 2), (10, 0)], "band")
    plot.draw_dot(5, 1, "gain", "a <dot>")
    root = ElementTree.fromstring(plot.svg("name", "Title & more", "What is <seen>"))
    assert [child.text for child in root[:2]] == ["Title & more", "What is <seen>"]
    assert root.attrib["aria-labelledby"] == "name-title name-desc" and root.attrib["role"] == "img"
    kinds = [child.attrib.get("class") for child in root[2:] if child.tag != "text"]
    assert kinds == ["grid", "zero", "grid", "line", "band", "gain"]
    for name, most in (("x", WIDTH), ("cx", WIDTH), ("x1", WIDTH), ("y", HEIGHT), ("cy", HEIGHT), ("y1", HEIGHT)):
        assert all(0 <= float(child.attrib[name]) <= most for child in root if name in child.attrib)


@pytest.mark.parametrize(("base", "value"), [(0.0, 4.0), (4.0, -2.0), (-2.0, -2.0)])
def test_a_row_has_its_name_its_bar_and_its_figure_in_one_column(base: float, value: float) -> None:
    plot = Plot((-5, 5), (0, 1), rows=3)
    plot.draw_row(2, "name", base, value, "bar", "+$4")
    root = ElementTree.fromstring(plot.svg("n", "t", "d"))
    bar, name, figure = root[2:]
    assert [name.text, figure.text, bar[0].text] == ["name", "+$4", "name: +$4"]
    assert figure.attrib["x"] == f"{WIDTH - 4:.1f}" and figure.attrib["text-anchor"] == "end"
    left, width = float(bar.attrib["x"]), float(bar.attrib["width"])
    assert left == pytest.approx(plot.x.place(min(base, value)), abs=0.06)
    assert width == pytest.approx(max(plot.x.place(max(base, value)) - plot.x.place(min(base, value)), 1), abs=0.06)
    assert root.attrib["viewBox"].endswith(f"{plot.height}") and plot.height > 3 * ROW_HEIGHT


def test_a_line_of_five_years_is_small() -> None:
    plot = Plot((0, 259), (0, 259))
    plot.draw("polyline", [(place, place) for place in range(260)], "line")
    assert len(plot.svg("n", "t", "d")) < 3500 and not re.search(r"\d\.\d\d", plot.parts[0])


@given(values=st.lists(AMOUNTS, max_size=3 * MAX_POINTS))
def test_an_outline_is_short_and_keeps_ends_and_extremes(values: list[float]) -> None:
    kept = outline(values)
    assert kept == sorted(kept) and len(kept) <= MAX_POINTS + 2
    assert all(values[int(place)] == value for place, value in kept)
    if values:
        seen = [value for _, value in kept]
        assert (min(seen), max(seen), seen[0], seen[-1]) == (min(values), max(values), values[0], values[-1])
    if len(values) <= MAX_POINTS:
        assert [value for _, value in kept] == values
