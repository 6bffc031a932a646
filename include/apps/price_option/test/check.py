"""Whether the price is that of Black and Scholes' formula, as nearly as the standard error says it should be."""

import json
import sys
from math import exp, log, sqrt
from pathlib import Path
from statistics import NormalDist

SPOT, STRIKE, RATE, VOLATILITY, YEARS = 100, 100, 0.05, 0.2, 1
MOST_ERRORS = 4
"""Of a normal distribution 1 in 16,000 is farther off; seeds are fixed, so that a price that passes does so always."""
LARGEST_ERROR = 0.01


def black_scholes_call() -> float:
    d1 = (log(SPOT / STRIKE) + (RATE + VOLATILITY**2 / 2) * YEARS) / (VOLATILITY * sqrt(YEARS))
    d2 = d1 - VOLATILITY * sqrt(YEARS)
    return SPOT * NormalDist().cdf(d1) - STRIKE * exp(-RATE * YEARS) * NormalDist().cdf(d2)


def main(output: Path) -> None:
    found = json.loads((output / "price.json").read_text())["price"]
    true, error = black_scholes_call(), found["standard_error"]
    if not 0 < error < LARGEST_ERROR:
        sys.exit(f"price.json: a standard error of {error}; it is expected above 0 and below {LARGEST_ERROR}.")
    if abs(found["mean"] - true) > MOST_ERRORS * error:
        sys.exit(f"price.json: {found['mean']:.5f} +- {error:.5f}; expected {true:.5f}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
