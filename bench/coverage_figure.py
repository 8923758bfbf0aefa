"""Draw the state that bench/coverage.py keeps as docs/coverage.svg: the lowest and highest model of each case.

python -m bench.coverage_figure coverage_state.json docs/coverage.svg
"""

import json
import sys
from pathlib import Path
from xml.sax.saxutils import escape

LOW, HIGH = 0.78, 1.0
LEFT, WIDTH, ROW, TOP = 250, 430, 24, 34
TICKS = (0.80, 0.85, 0.90, 0.95, 1.0)


def across(share: float) -> float:
    return LEFT + WIDTH * (share - LOW) / (HIGH - LOW)


def row_of(number: int, name: str, shares: list[float]) -> str:
    y = TOP + ROW * number + ROW / 2
    colour = "#b3261e" if name.startswith("the same") else "#1f5fa8"
    dots = "".join(
        f'<circle cx="{across(share):.1f}" cy="{y}" r="2.6" fill="{colour}" fill-opacity=".55"/>' for share in shares
    )
    return f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>{dots}'


def figure(shares: dict[str, list[float]]) -> str:
    height = TOP + ROW * len(shares) + 30
    band = f'<rect x="{across(0.935):.1f}" y="{TOP - 6}" width="{across(0.965) - across(0.935):.1f}" '
    band += f'height="{ROW * len(shares) + 12}" fill="#dfe8f3"/>'
    axis = "".join(
        f'<text x="{across(tick):.1f}" y="{height - 8}" text-anchor="middle">{tick:.0%}</text>' for tick in TICKS
    )
    rows = "".join(row_of(number, name, values) for number, (name, values) in enumerate(shares.items()))
    title = "How often 95 % intervals hold the true rating: one dot per model, band 93.5 % to 96.5 %"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 30} {height}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="#222"><title>{title}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="12" y="18">{title}</text>{band}{rows}{axis}</svg>\n'
    )


def main() -> None:
    state, target = Path(sys.argv[1]), Path(sys.argv[2])
    kept = json.loads(state.read_text())
    shares = {
        name: [count / n_sets for count in held["ratings"]]
        for name, (n_sets, held) in kept.items()
        if "ratings" in held
    }
    target.write_text(figure(shares), encoding="utf-8")


if __name__ == "__main__":
    main()
