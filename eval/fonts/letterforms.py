"""The letters, each a few strokes drawn into a Sketch at a width and a height."""

from __future__ import annotations

from collections.abc import Callable

from eval.fonts.sketch import CAP, DESCENDER, Sketch


def _o(s: Sketch, w: float, h: float) -> None:
    s.arc(0, 0, w, h)


def _c(s: Sketch, w: float, h: float) -> None:
    s.arc(0, 0, w, h, 45, 315)


def _e(s: Sketch, w: float, h: float) -> None:
    s.arc(0, 0, w, h, 0, 315)
    s.bar(s.stem / 2, h / 2 - s.thin / 2, w - s.stem / 8, h / 2 + s.thin / 2)


def _a(s: Sketch, w: float, h: float) -> None:
    if s.font.a_storeys == 1:
        s.arc(0, 0, w, h)
        s.post(w - s.stem, 0, h, head=False)
        return
    s.arc(0, 0, w, 0.6 * h)
    s.arc(0, 0.3 * h, w, h, 30, 150)
    s.post(w - s.stem, 0, 0.72 * h, head=False)


def _g(s: Sketch, w: float, h: float) -> None:
    down = -DESCENDER * CAP
    if s.font.g_storeys == 2:
        s.arc(0, 0.4 * h, 0.9 * w, h)
        s.arc(0, down, w, 0.4 * h - s.thin)
        s.bar(0.2 * w, 0.4 * h - 1.5 * s.thin, 0.2 * w + s.thin, 0.4 * h + s.thin)
        s.bar(0.7 * w, h - s.thin, 1.05 * w, h)
        return
    s.arc(0, 0, w, h)
    s.bar(w - s.stem, down / 3, w, h)
    s.arc(0, down, w, -down / 3, 200, 360)


def _arch(s: Sketch, x: float, w: float, h: float) -> None:
    """The shoulder and right leg of n, its left leg at x."""
    depth = min(w, h)
    s.arc(x, h - depth, x + w, h, 0, 130)
    s.post(x + w - s.stem, 0, h - depth / 2, head=False)


def _n(s: Sketch, w: float, h: float) -> None:
    s.post(0, 0, h)
    _arch(s, 0, w, h)


def _h(s: Sketch, w: float, h: float) -> None:
    s.post(0, 0, CAP)
    _arch(s, 0, w, h)


def _m(s: Sketch, w: float, h: float) -> None:
    step = 0.85 * (w - s.stem)
    s.post(0, 0, h)
    for index in range(2):
        _arch(s, index * step, step + s.stem, h)


def _u(s: Sketch, w: float, h: float) -> None:
    depth = min(w, h)
    s.arc(0, 0, w, depth, 180, 310)
    s.post(0, depth / 2, h, foot=False)
    s.post(w - s.stem, 0, h)


def _r(s: Sketch, w: float, h: float) -> None:
    s.post(0, 0, h)
    s.arc(0, h - w, 0.9 * w, h, 50, 130)


def _f(s: Sketch, w: float, h: float) -> None:
    s.post(0.2 * w, 0, 0.85 * CAP, head=False)
    s.arc(0.2 * w, CAP - 0.5 * w, 0.2 * w + 0.7 * w, CAP, 60, 180)
    s.bar(0, h - s.thin, 0.65 * w, h)


def _t(s: Sketch, w: float, h: float) -> None:
    s.post(0.2 * w, 0, min(1.35 * h, CAP), head=False)
    s.bar(0, h - s.thin, 0.65 * w, h)


def _i(s: Sketch, w: float, h: float) -> None:
    s.post(0, 0, h)
    s.bar(0, CAP - s.stem, s.stem, CAP)


def _j(s: Sketch, w: float, h: float) -> None:
    s.bar(0.3 * w, -DESCENDER * CAP * 0.6, 0.3 * w + s.stem, h)
    s.arc(0.3 * w + s.stem - 0.7 * w, -DESCENDER * CAP, 0.3 * w + s.stem, -0.1 * CAP, 240, 360)
    s.bar(0.3 * w, CAP - s.stem, 0.3 * w + s.stem, CAP)


def _k(s: Sketch, w: float, h: float) -> None:
    s.post(0, 0, CAP if h < CAP else h)
    s.stroke(s.stem * 0.9, 0.4 * h, w - s.thin, h, s.thin)
    s.stroke(0.35 * w, 0.55 * h, w - s.stem, 0, s.stem)


def _l(s: Sketch, w: float, h: float) -> None:
    s.post(0, 0, CAP)


def _bowled(up: bool, right: bool) -> Callable[[Sketch, float, float], None]:
    def draw(s: Sketch, w: float, h: float) -> None:
        s.arc(0, 0, w, h)
        low, high = (0.0, CAP) if up else (-DESCENDER * CAP, h)
        s.post(w - s.stem if right else 0, low, high)

    return draw


def _s(s: Sketch, w: float, h: float) -> None:
    middle = h / 2
    s.arc(0, middle - s.thin / 2, w, h, 35, 270)
    s.arc(0, 0, w, middle + s.thin / 2, -145, 90)


def _v(s: Sketch, w: float, h: float) -> None:
    s.stroke(0, h, w / 2 - s.stem / 2, 0, s.stem)
    s.stroke(w / 2 - s.thin / 2, 0, w - s.thin, h, s.thin)


def _w(s: Sketch, w: float, h: float) -> None:
    for x in (0.0, 0.7 * w):
        s.stroke(x, h, x + 0.35 * w - s.stem / 2, 0, s.stem)
        s.stroke(x + 0.35 * w - s.thin / 2, 0, x + 0.7 * w, h, s.thin)


def _x(s: Sketch, w: float, h: float) -> None:
    s.stroke(0, h, w - s.stem, 0, s.stem)
    s.stroke(0, 0, w - s.thin, h, s.thin)


def _y(s: Sketch, w: float, h: float) -> None:
    s.stroke(0, h, w / 2 - s.stem / 2, 0, s.stem)
    s.stroke(0.2 * w, -DESCENDER * CAP, w - s.thin, h, s.thin)


def _z(s: Sketch, w: float, h: float) -> None:
    s.bar(0, 0, w, s.thin)
    s.bar(0, h - s.thin, w, h)
    s.stroke(0, 0, w - s.stem * 1.2, h, s.stem * 1.2)


def _cap_a(s: Sketch, w: float, h: float) -> None:
    s.stroke(0, 0, w / 2 - s.thin / 2, h, s.thin)
    s.stroke(w / 2 - s.stem / 2, h, w - s.stem, 0, s.stem)
    s.bar(0.2 * w, 0.25 * h, 0.8 * w, 0.25 * h + s.thin)


def _cap_b(s: Sketch, w: float, h: float) -> None:
    s.post(0, 0, h, head=False)
    for low, high in ((0.0, h / 2 + s.thin / 2), (h / 2 - s.thin / 2, h)):
        _lobe(s, 0.85 * w, low, high)


def _lobe(s: Sketch, w: float, low: float, high: float) -> None:
    """The right half of a bowl, held to the stem by level strokes."""
    s.arc(-w, low, w, high, -90, 90)


def _cap_d(s: Sketch, w: float, h: float) -> None:
    s.post(0, 0, h, head=False)
    _lobe(s, w, 0, h)


def _cap_e(s: Sketch, w: float, h: float, *, foot: bool = True) -> None:
    s.post(0, 0, h, foot=not foot, head=False)
    for y in (0.0, h / 2 - s.thin / 2, h - s.thin)[0 if foot else 1 :]:
        s.bar(0, y, 0.75 * w, y + s.thin)


def _cap_f(s: Sketch, w: float, h: float) -> None:
    _cap_e(s, w, h, foot=False)


def _cap_g(s: Sketch, w: float, h: float) -> None:
    _c(s, w, h)
    s.bar(w - s.stem, 0.15 * h, w, 0.45 * h)
    s.bar(0.55 * w, 0.45 * h - s.thin, w, 0.45 * h)


def _cap_h(s: Sketch, w: float, h: float) -> None:
    s.post(0, 0, h)
    s.post(w - s.stem, 0, h)
    s.bar(0, h / 2 - s.thin / 2, w, h / 2 + s.thin / 2)


def _cap_i(s: Sketch, w: float, h: float) -> None:
    s.post(0, 0, h)


def _cap_j(s: Sketch, w: float, h: float) -> None:
    s.post(0.6 * w - s.stem, 0.3 * w, h, foot=False)
    s.arc(0, 0, 0.6 * w, 0.6 * w, 200, 360)


def _cap_l(s: Sketch, w: float, h: float) -> None:
    s.post(0, 0, h, foot=False)
    s.bar(0, 0, 0.7 * w, s.thin)


def _cap_m(s: Sketch, w: float, h: float) -> None:
    s.post(0, 0, h, head=False)
    s.post(1.2 * w - s.stem, 0, h, head=False)
    s.stroke(0, h, 0.6 * w - s.stem / 2, 0.1 * h, s.stem)
    s.stroke(0.6 * w - s.thin / 2, 0.1 * h, 1.2 * w - s.thin, h, s.thin)


def _cap_n(s: Sketch, w: float, h: float) -> None:
    s.post(0, 0, h, head=False)
    s.post(w - s.stem, 0, h, foot=False)
    s.stroke(0, h, w - s.stem, 0, s.stem)


def _cap_p(s: Sketch, w: float, h: float) -> None:
    s.post(0, 0, h, head=False)
    _lobe(s, 0.85 * w, 0.45 * h, h)


def _cap_q(s: Sketch, w: float, h: float) -> None:
    s.arc(0, 0, w, h)
    s.stroke(0.55 * w, 0.25 * h, w - s.stem, -0.1 * h, s.stem)


def _cap_r(s: Sketch, w: float, h: float) -> None:
    _cap_p(s, w, h)
    s.stroke(0.35 * w, 0.5 * h, 0.9 * w - s.stem, 0, s.stem)


def _cap_t(s: Sketch, w: float, h: float) -> None:
    s.post(w / 2 - s.stem / 2, 0, h, head=False)
    s.bar(0, h - s.thin, w, h)


def _cap_u(s: Sketch, w: float, h: float) -> None:
    s.arc(0, 0, w, w, 180, 360)
    s.post(0, w / 2, h, foot=False)
    s.post(w - s.stem, w / 2, h, foot=False)


def _cap_y(s: Sketch, w: float, h: float) -> None:
    s.post(w / 2 - s.stem / 2, 0, 0.5 * h, head=False)
    s.stroke(0, h, w / 2 - s.stem / 2, 0.4 * h, s.stem)
    s.stroke(w / 2 - s.thin / 2, 0.4 * h, w - s.thin, h, s.thin)


def _one(s: Sketch, w: float, h: float) -> None:
    s.post(0.35 * w, 0, h, head=False)
    s.stroke(0, 0.72 * h, 0.35 * w, h, s.thin)


def _two(s: Sketch, w: float, h: float) -> None:
    s.arc(0, 0.4 * h, w, h, -10, 165)
    s.stroke(0, 0, w - s.stem * 1.1, 0.7 * h, s.stem)
    s.bar(0, 0, w, s.thin)


def _three(s: Sketch, w: float, h: float) -> None:
    s.arc(0, h / 2 - s.thin / 2, w, h, -90, 145)
    s.arc(0, 0, w, h / 2 + s.thin / 2, -145, 90)


def _four(s: Sketch, w: float, h: float) -> None:
    s.post(0.65 * w, 0, h, head=False)
    s.stroke(0, 0.25 * h, 0.65 * w, h, s.thin)
    s.bar(0, 0.25 * h, w, 0.25 * h + s.thin)


def _five(s: Sketch, w: float, h: float) -> None:
    s.arc(0, 0, w, 0.62 * h, -145, 150)
    s.bar(0.1 * w, 0.45 * h, 0.1 * w + s.thin, h)
    s.bar(0.1 * w, h - s.thin, 0.9 * w, h)


def _six(s: Sketch, w: float, h: float) -> None:
    s.arc(0, 0, w, 0.6 * h)
    s.arc(0, 0, w, h, 60, 180)


def _seven(s: Sketch, w: float, h: float) -> None:
    s.bar(0, h - s.thin, w, h)
    s.stroke(0.2 * w, 0, w - s.stem, h, s.stem)


def _eight(s: Sketch, w: float, h: float) -> None:
    s.arc(0, 0, w, h / 2 + s.thin / 2)
    s.arc(0.05 * w, h / 2 - s.thin / 2, 0.95 * w, h)


def _nine(s: Sketch, w: float, h: float) -> None:
    s.arc(0, 0.4 * h, w, h)
    s.arc(0, 0, w, h, 240, 360)


SMALL: dict[str, Callable[[Sketch, float, float], None]] = {
    "a": _a, "b": _bowled(True, False), "c": _c, "d": _bowled(True, True), "e": _e, "f": _f,
    "g": _g, "h": _h, "i": _i, "j": _j,
    "k": _k, "l": _l, "m": _m, "n": _n, "o": _o, "p": _bowled(False, False),
    "q": _bowled(False, True), "r": _r, "s": _s, "t": _t, "u": _u, "v": _v, "w": _w, "x": _x,
    "y": _y, "z": _z,
}  # fmt: skip
CAPITALS: dict[str, Callable[[Sketch, float, float], None]] = {
    "A": _cap_a, "B": _cap_b, "C": _c, "D": _cap_d, "E": _cap_e, "F": _cap_f, "G": _cap_g,
    "H": _cap_h, "I": _cap_i, "J": _cap_j, "K": _k, "L": _cap_l, "M": _cap_m, "N": _cap_n,
    "O": _o, "P": _cap_p, "Q": _cap_q, "R": _cap_r, "S": _s, "T": _cap_t, "U": _cap_u, "V": _v,
    "W": _w, "X": _x, "Y": _cap_y, "Z": _z,
}  # fmt: skip
FIGURES = dict(
    zip(
        "0123456789",
        (_o, _one, _two, _three, _four, _five, _six, _seven, _eight, _nine),
        strict=True,
    )
)
