"""What the steps of a trade print: as lines elsewhere, and on a terminal folded where a reader would."""

import pytest

from spy32.render.trading import print_execution, print_run
from tests.support.reader import screen, shown
from tests.support.run_views import proposed


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_terminal_cuts_no_price(width: int) -> None:
    view = proposed()
    assert view.proposal is not None
    for console, show in ((screen(width), print_run), (screen(width), lambda *of: print_execution(*of, json=False))):
        show(console, view)
        lines = shown(console).splitlines()
        assert max(map(len, lines)) <= width
    console = screen(width)
    print_run(console, view)
    assert f"@ {view.proposal.limit_price} cr (floor" in " ".join(shown(console).split())
