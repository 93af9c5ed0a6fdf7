"""Writes `spy32/exchange_days.py` from the `holidays` package: `make calendar`. A test compares the two."""

from holidays import financial_holidays

from tests.support.paths import ROOT

TARGET = ROOT / "spy32" / "exchange_days.py"
FIRST_YEAR, LAST_YEAR = 1990, 2100
FRIDAY = 4

HEAD = '''"""Days on which the New York Stock Exchange is closed, or closes early. By `make calendar`; do not edit.

Computed from the `holidays` package; `tests/test_sessions.py` holds it against that package and against
`exchange_calendars`. Reading a table costs a start 1 ms, importing the package 230 ms.
"""

'''


def calendar_text() -> str:
    """The module as text."""
    closed = {year: _closed(year) for year in range(FIRST_YEAR, LAST_YEAR + 1)}
    names = sorted({name for days in closed.values() for _, name in days})
    keys = {name: f"{number:02}" for number, name in enumerate(names)}
    lines = [HEAD + "NAMES = {"]
    lines += [f'    "{key}": "{name}",' for name, key in keys.items()]
    lines += ["}", "CLOSED = {"]
    for year, days in closed.items():
        lines.append(f'    {year}: "{" ".join(f"{day}{keys[name]}" for day, name in days)}",')
    lines += [
        "}",
        '"""Year -> month, day and key of the name (MMDDNN) of each weekday without a session."""',
        "EARLY = {",
    ]
    for year, days in closed.items():
        off = {day for day, _ in days}
        lines.append(f'    {year}: "{" ".join(day for day in _early(year) if day not in off)}",')
    lines += ["}", '"""Year -> month and day (MMDD) of each session that ends early."""']
    return "\n".join(lines) + "\n"


def _closed(year: int) -> list[tuple[str, str]]:
    found = financial_holidays("NYSE", years=year, expand=False, language="en_US")
    return [(f"{day:%m%d}", name) for day, name in sorted(found.items()) if day.weekday() <= FRIDAY]


def _early(year: int) -> list[str]:
    found = financial_holidays("NYSE", years=year, expand=False, language="en_US", categories="half_day")
    return [f"{day:%m%d}" for day in sorted(found) if day.weekday() <= FRIDAY]


if __name__ == "__main__":
    TARGET.write_text(calendar_text())
