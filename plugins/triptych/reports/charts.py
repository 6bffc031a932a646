"""Charts as SVG: shapes with classes, for the page's style to colour; each also says its figures as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from triptych.pages import escaped

WIDTH, HEIGHT = 640, 170
LEFT, RIGHT, TOP, BOTTOM = 44, 6, 8, 24
"""Around the bars, for what is written at the axes."""
_INNER, _TALL = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
_TICKS = 4
_GAP = 0.12


def columns(
    label: str,
    values: Sequence[float],
    told: Callable[[int], str],
    axis: Callable[[float], str],
    upright: Callable[[float], str],
    tone: str,
    mark: tuple[float, str] | None = None,
) -> str:
    """Columns of equal width. `told` says one of them, `axis` what stands at a share of the width, 0 to 1.

    `upright` says a height; `mark` is a line at a share of the width, with its name.
    """
    most = max(values, default=0) or 1
    return _svg(label, [*_grid(most, axis, upright), *_bars(values, most, told, tone), *(_mark(*mark) if mark else ())])


def _bars(values: Sequence[float], most: float, told: Callable[[int], str], tone: str) -> Iterator[str]:
    step = _INNER / max(1, len(values))
    gap = step * _GAP if len(values) <= 60 else 0
    for index, value in enumerate(values):
        if value <= 0:
            continue
        tall = max(1.0, value / most * _TALL)
        yield (
            f'<rect class="{tone}" x="{LEFT + index * step + gap / 2:.1f}" y="{TOP + _TALL - tall:.1f}" '
            f'width="{step - gap:.2f}" height="{tall:.1f}"><title>{escaped(told(index))}</title></rect>'
        )


def _grid(most: float, axis: Callable[[float], str], upright: Callable[[float], str]) -> Iterator[str]:
    for part in (0.0, 0.5, 1.0):
        y = TOP + _TALL * (1 - part)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escaped(upright(most * part))}</text>'
    for tick in range(_TICKS + 1):
        share = tick / _TICKS
        anchor = "start" if tick == 0 else "end" if tick == _TICKS else "middle"
        x = LEFT + _INNER * share
        yield f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{escaped(axis(share))}</text>'


def _mark(share: float, name: str) -> Iterator[str]:
    x = LEFT + _INNER * min(1.0, max(0.0, share))
    anchor = "end" if share > 0.5 else "start"
    aside = -5 if share > 0.5 else 5
    yield f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{TOP + _TALL}"/>'
    yield f'<text class="mark" x="{x + aside:.1f}" y="{TOP + 10}" text-anchor="{anchor}">{escaped(name)}</text>'


def _svg(label: str, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escaped(label)}">{"".join(parts)}</svg>'
