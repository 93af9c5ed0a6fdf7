"""The picture of the calibration page, as SVG text: light and dark by the reader's scheme, no script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STYLE = """
  :root { --paper: #ffffff; --ink: #1f2328; --grid: #d0d7de; --delta: #6e7781; --market: #0969da; --history: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    :root { --paper: #0d1117; --ink: #e6edf3; --grid: #30363d; --delta: #9198a1; --market: #58a6ff; --history: #f0883e }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--ink) }
  .title { font-weight: 600 } .small { font-size: 10px } .middle { text-anchor: middle } .end { text-anchor: end }
  .grid { stroke: var(--grid) } .ink { stroke: var(--ink); fill: var(--ink) }
  .delta { stroke: var(--delta); fill: none } .market { stroke: var(--market); fill: none }
  .history { stroke: var(--history); fill: none } .line { stroke-width: 1.6 }
"""
PANEL_WIDTH, PANEL_HEIGHT = 280, 210
LEFTS, TOPS = (50, 390), (50, 320)
MARKS = ("delta", "market", "history")
"""Each stated law has a shape of its own, so that nobody needs the colours."""


@dataclass(frozen=True)
class Bar:
    """One spread: its name, what came true with its interval, and what each of `MARKS` stated; fractions."""

    name: str
    came_true: tuple[float, float, float]
    stated: Mapping[str, float]


@dataclass(frozen=True)
class Panel:
    """A square of the picture; `low` and 1 are the ends of its axes of probabilities."""

    left: int
    top: int
    low: float

    def x(self, probability: float) -> float:
        return self.left + PANEL_WIDTH * (probability - self.low) / (1 - self.low)

    def y(self, probability: float) -> float:
        return self.top + PANEL_HEIGHT * (1 - (probability - self.low) / (1 - self.low))

    def frame(self, title: str) -> list[str]:
        """Return the title and the lines at every tenth."""
        lines = [_text(self.left, self.top - 10, title, "title")]
        for tenth in range(round(self.low * 10), 11):
            height = self.y(tenth / 10)
            lines.append(f'<path class="grid" d="M{self.left} {height:.1f}h{PANEL_WIDTH}"/>')
            lines.append(_text(self.left - 6, height + 4, f"{10 * tenth} %", "small end"))
        return lines


def chart(
    bars: Mapping[str, Sequence[Bar]],
    curves: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]],
    title: str,
    description: str,
) -> str:
    """Return the picture: by side the bars above, and below the reliability curves (stated, came true) by law."""
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 560" role="img" aria-labelledby="title desc">',
        f'<title id="title">{title}</title>',
        f'<desc id="desc">{description}</desc>',
        f"<style>{STYLE}</style>",
        '<rect width="700" height="560" style="fill: var(--paper)"/>',
        *_legend(),
    ]
    for left, (side, rows) in zip(LEFTS, bars.items(), strict=True):
        lines += _bars(Panel(left, TOPS[0], 0.5), side, rows)
    for left, (side, by_law) in zip(LEFTS, curves.items(), strict=True):
        lines += _curves(Panel(left, TOPS[1], 0.5), side, by_law)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _bars(panel: Panel, side: str, rows: Sequence[Bar]) -> list[str]:
    lines = panel.frame(f"{side}: probability of profit by short delta")
    for number, bar in enumerate(rows):
        middle = panel.left + PANEL_WIDTH * (number + 0.5) / len(rows)
        mean, low, high = (panel.y(each) for each in bar.came_true)
        lines.append(f'<path class="ink" stroke-width="2" d="M{middle:.1f} {low:.1f}V{high:.1f}"/>')
        lines.append(f'<circle class="ink" cx="{middle:.1f}" cy="{mean:.1f}" r="4"/>')
        lines += [
            _mark(law, middle + distance, panel.y(bar.stated[law]))
            for law, distance in zip(MARKS, (-14, 14, 26), strict=True)
        ]
        lines.append(_text(middle, panel.top + PANEL_HEIGHT + 16, bar.name, "small middle"))
    return lines


def _curves(panel: Panel, side: str, by_law: Mapping[str, Sequence[tuple[float, float]]]) -> list[str]:
    lines = panel.frame(f"{side}: came true, by what was stated")
    ends = "L".join(_point(panel, each, each) for each in (panel.low, 1.0))
    lines.append(f'<path class="delta" stroke-dasharray="4 3" d="M{ends}"/>')
    for law, points in by_law.items():
        corners = "L".join(_point(panel, *each) for each in points)
        dash = ' stroke-dasharray="7 2"' if law == "history" else ""
        lines.append(f'<path class="{law} line"{dash} d="M{corners}"/>')
    bottom = panel.top + PANEL_HEIGHT + 16
    return lines + [_text(panel.x(each / 10), bottom, f"{10 * each} %", "small middle") for each in range(5, 11)]


def _point(panel: Panel, stated: float, came_true: float) -> str:
    return f"{panel.x(stated):.1f} {panel.y(came_true):.1f}"


def _mark(law: str, x: float, y: float) -> str:
    shapes = {"delta": "m-4 -4l8 8m0 -8l-8 8", "market": "m-4 -4h8v8h-8z", "history": "m0 -5l5 5l-5 5l-5 -5z"}
    return f'<path class="{law} line" d="M{x:.1f} {y:.1f}{shapes[law]}"/>'


def _legend() -> list[str]:
    lines = ['<circle class="ink" cx="56" cy="15" r="4"/>', _text(66, 19, "came true, with its 95 % interval")]
    for left, law in zip((290, 420, 550), MARKS, strict=True):
        words = "1 - |delta|" if law == "delta" else law
        lines += [_mark(law, left, 15), _text(left + 12, 19, f"by {words}")]
    return lines


def _text(x: float, y: float, words: str, style: str = "") -> str:
    attribute = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{attribute}>{words}</text>'
