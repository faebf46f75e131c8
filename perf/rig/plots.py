"""Plots as SVG, without any library: lines over a logarithmic axis, and bars."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 40, 50
COLOURS = ("#1f6fb4", "#d9541e", "#2d8f4e", "#8a4fb0", "#b8860b", "#5b6770", "#c2185b", "#00838f")


def _text(x, y, text, anchor="start", size=12, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}">'
            f"{escape(str(text))}</text>")


def _frame(title, unit, body):
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
            f'fill="#222"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>')
    return "\n".join([head, _text(LEFT, 22, title, size=15, weight="bold"), _text(8, TOP - 6, unit, size=11),
                      *body, "</svg>", ""])


def _ticks(top):
    """Round numbers from 0 to at least `top`."""
    step = 10 ** math.floor(math.log10(top)) if top > 0 else 1
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if top / s <= 6)
    return [step * n for n in range(math.ceil(top / step) + 1)]


def _number(value):
    for limit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g} {letter}"
    return f"{value:g}"


def _y_axis(ticks, y, right=RIGHT):
    for tick in ticks:
        yield f'<line x1="{LEFT}" x2="{WIDTH - right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#ddd"/>'
        yield _text(LEFT - 6, y(tick) + 4, _number(tick), "end", 11)


def lines(title, unit, x_label, series):
    """`series`: name -> [(x, y), ...]; the x axis is logarithmic. A name that ends in "aim" is dashed."""
    points = [p for values in series.values() for p in values]
    low, high = (math.log10(f(x for x, _ in points)) for f in (min, max))
    ticks = _ticks(max(y for _, y in points))
    plot_w, plot_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at_x(x):
        return LEFT + plot_w * ((math.log10(x) - low) / (high - low) if high > low else 0.5)

    def at_y(y):
        return TOP + plot_h * (1 - y / ticks[-1])

    body = list(_y_axis(ticks, at_y))
    for x in sorted({x for x, _ in points}):
        body.append(_text(at_x(x), HEIGHT - BOTTOM + 18, _number(x), "middle", 11))
    body.append(_text(LEFT + plot_w / 2, HEIGHT - 10, x_label, "middle"))
    for number, (name, values) in enumerate(series.items()):
        colour, dash = COLOURS[number % len(COLOURS)], ' stroke-dasharray="5 4"' if name.endswith("aim") else ""
        path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in sorted(values))
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        body += [f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3" fill="{colour}"/>' for x, y in values]
        y = TOP + 10 + 18 * number
        body.append(f'<line x1="{WIDTH - RIGHT + 10}" x2="{WIDTH - RIGHT + 30}" y1="{y}" y2="{y}" stroke="{colour}" '
                    f'stroke-width="2"{dash}/>')
        body.append(_text(WIDTH - RIGHT + 36, y + 4, name, size=11))
    return _frame(title, unit, body)


def bars(title, unit, values):
    """`values`: name -> (value, best, whether it is to be seen as comparable); the best sample is a thin mark."""
    ticks = _ticks(max(max(pair[:2]) for pair in values.values()))
    plot_w, plot_h = WIDTH - LEFT - 20, HEIGHT - TOP - BOTTOM - 20

    def at_y(y):
        return TOP + plot_h * (1 - y / ticks[-1])

    body = list(_y_axis(ticks, at_y, 20))
    slot = plot_w / len(values)
    for number, (name, (value, best, comparable)) in enumerate(values.items()):
        x, width = LEFT + slot * number + slot * 0.15, slot * 0.7
        body.append(f'<rect x="{x:.1f}" y="{at_y(value):.1f}" width="{width:.1f}" '
                    f'height="{max(0, at_y(0) - at_y(value)):.1f}" fill="{COLOURS[0] if comparable else COLOURS[5]}"/>')
        body.append(f'<line x1="{x:.1f}" x2="{x + width:.1f}" y1="{at_y(best):.1f}" y2="{at_y(best):.1f}" '
                    f'stroke="{COLOURS[1]}" stroke-width="2"/>')
        body.append(_text(x + width / 2, at_y(value) - 5, f"{value:g}", "middle", 11))
        for row, word in enumerate(name.split(" ")[:3]):
            body.append(_text(x + width / 2, at_y(0) + 16 + 13 * row, word, "middle", 10))
    return _frame(title, unit, body)
