"""`value`: what the package's immutable classes do, and that none of them is made otherwise."""

import re
from dataclasses import field, fields, replace
from pathlib import Path

import pytest

import spy32
from spy32.domain.value import INSTANCES_BEFORE_COMPILING, value


@value
class Point:
    x: int
    tags: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    double: int = field(init=False)

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x is positive")
        object.__setattr__(self, "double", 2 * self.x)


def test_a_value_is_equal_by_its_fields_and_cannot_change() -> None:
    point = Point(x=1)
    assert (point, hash(point)) == (Point(x=1), hash(Point(x=1)))
    assert point != Point(x=2)
    with pytest.raises(AttributeError, match="x"):
        point.x = 2  # type: ignore[misc]


def test_a_value_takes_keywords_only_and_checks_itself() -> None:
    with pytest.raises(TypeError):
        Point(1)  # type: ignore[misc]
    with pytest.raises(ValueError, match="positive"):
        replace(Point(x=1), x=-1)


def test_a_field_that_is_computed_is_no_argument() -> None:
    assert Point(x=3).double == 6
    assert [one.name for one in fields(Point) if one.init] == ["x", "tags", "token"]


@pytest.mark.parametrize("before", [0, INSTANCES_BEFORE_COMPILING + 1], ids=["first", "compiled"])
def test_the_first_instances_and_those_of_a_compiled_init_are_alike(before: int) -> None:
    @value
    class Bag:
        name: str
        items: list[int] = field(default_factory=list)
        size: int = 3

    made = [Bag(name="n") for _ in range(before)]
    bag = Bag(name="a", size=4)
    assert (bag.name, bag.items, bag.size, repr(bag)) == ("a", [], 4, f"{Bag.__qualname__}(name='a', items=[], size=4)")
    assert all(bag.items is not other.items for other in made)
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'name'"):
        Bag()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'weight'"):
        Bag(name="a", weight=1)  # type: ignore[call-arg]


def test_fields_of_a_base_come_first() -> None:
    @value
    class Named(Point):
        name: str = "n"

    assert [one.name for one in fields(Named)] == ["x", "tags", "token", "double", "name"]
    assert (Named(x=2).double, Named(x=2, name="a") == Named(x=2)) == (4, False)


@value
class Fields:
    put: int
    set: int = 2
    MISSING: int = 3


def test_a_field_may_have_any_name() -> None:
    assert repr(Fields(put=1)) == "Fields(put=1, set=2, MISSING=3)"


def test_a_field_that_hides_itself_is_not_in_the_repr() -> None:
    assert repr(Point(x=1, token="abc")) == "Point(x=1, tags=(), double=2)"


def test_one_decorator_makes_every_immutable_class() -> None:
    sources = Path(spy32.__file__).parent.rglob("*.py")
    frozen = [path.name for path in sources if re.search(r"@dataclass\([^)]*frozen=True", path.read_text())]
    assert frozen == []
