"""How numbers are written in reports: .612 [.551, .671], +.043, p .012."""

from __future__ import annotations

from eval.scores.results import Estimate


def number(value: float) -> str:
    """Three digits, without the zero in front, as in ".612" and "1.000"."""
    text = f"{abs(value):.3f}"
    minus = "−" if value < 0 and float(text) else ""  # noqa: RUF001 - a true minus
    return minus + text.removeprefix("0")


def signed(value: float) -> str:
    """A difference, as in "+.043"; ".000" where nothing is left of it."""
    text = number(value)
    return f"+{text}" if value > 0 and float(text) else text


def interval(estimate: Estimate) -> str:
    """As in "[.551, .671]"; nothing where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"[{number(estimate.low)}, {number(estimate.high)}]"


def estimate(value: Estimate) -> str:
    return f"{number(value.mean)} {interval(value)}".rstrip()


def difference(value: Estimate) -> str:
    return f"{signed(value.mean)} {interval(value)}".rstrip()


def p_value(value: float) -> str:
    """What stands behind "p": ".012", "1", "< .001"."""
    if value < 0.001:
        return "< .001"
    return "1" if value >= 0.9995 else number(value)


def alpha(value: float) -> str:
    """As in "0", ".35" and "1"."""
    return f"{value:g}".removeprefix("0") or "0"


def counted(count: int, noun: str, plural: str = "") -> str:
    """As in "1 query" and "1,230 queries"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


FILTERS = {
    "number": number,
    "signed": signed,
    "interval": interval,
    "estimate": estimate,
    "difference": difference,
    "p_value": p_value,
    "alpha": alpha,
    "counted": counted,
}
