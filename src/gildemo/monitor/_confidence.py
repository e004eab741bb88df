"""Confidence intervals for values that are estimated from samples."""

from __future__ import annotations

import math

# The quantile of the normal distribution for a 95 % confidence interval.
_Z = 1.96


def half_width(variance: float, samples: float) -> float:
    """Return half the width of a 95 % confidence interval for a fraction.

    This is Wilson's interval (1927). Its width is not 0 even if all samples agree.

    variance: the variance of one sample. Wilson uses p * (1 - p).
    """
    if samples == 0:
        return 1.0
    z2 = _Z * _Z
    return _Z * math.sqrt(variance / samples + z2 / (4 * samples**2)) / (1 + z2 / samples)


def equal_samples(weight: float, squared_weights: float) -> float:
    """Return how many samples of equal weight would be as accurate (Kish's effective size)."""
    return weight**2 / squared_weights if weight else 0.0
