#!/usr/bin/env python3
"""Looks at how the results of the random operators are spread, since no suite can know them.

    python3 Tests/Conformance/distributions.py

Each result holds enough numbers that mean, deviation and shares are known to a few thousandths;
what is asked lies six standard errors around what the operator promises. Seeds are fixed, so a
pass is a pass on every machine. The same seed must give the same numbers, another seed others.
"""

import math
import pathlib
import sys

import numpy as np

COUNT = 100_000
FOLDER = pathlib.Path(__file__).resolve().parent


def expect(what, got, wanted, error):
    if not abs(got - wanted) <= 6 * error:
        raise SystemExit(f"{what} is {got:.5f}, not {wanted} ± {6 * error:.5f}")


def run(operator, inputs=None, **attributes):
    from executors import EXECUTORS
    from generators.draw import model, node

    inputs = inputs or {}
    made = model([node(operator, list(inputs), **attributes)], inputs)
    return EXECUTORS["best"].run(made, list(inputs.values()))[0]


def seeded(operator, inputs=None, **attributes):
    """The result for one seed, which must be a function of the seed and nothing else."""
    first = run(operator, inputs, seed=7.0, **attributes)
    again = run(operator, inputs, seed=7.0, **attributes)
    other = run(operator, inputs, seed=8.0, **attributes)
    if not np.array_equal(first, again):
        raise SystemExit(f"{operator}: the same seed gives other numbers")
    if np.array_equal(first, other):
        raise SystemExit(f"{operator}: another seed gives the same numbers")
    return first.astype(np.float64)


def normal(operator, inputs=None, **attributes):
    x = seeded(operator, inputs, mean=1.5, scale=2.0, **attributes).ravel()
    n = x.size
    expect(f"{operator}: the mean", x.mean(), 1.5, 2 / math.sqrt(n))
    expect(f"{operator}: the deviation", x.std(), 2, 2 / math.sqrt(2 * n))
    z = (x - 1.5) / 2
    expect(f"{operator}: the skewness", (z**3).mean(), 0, math.sqrt(15 / n))
    expect(f"{operator}: the kurtosis", (z**4).mean(), 3, math.sqrt(96 / n))
    within = 0.6826894921
    expect(f"{operator}: the share within one deviation", (np.abs(z) < 1).mean(), within,
           math.sqrt(within * (1 - within) / n))
    lag = (z[1:] * z[:-1]).mean()
    expect(f"{operator}: the correlation of neighbours", lag, 0, 1 / math.sqrt(n))


def uniform(operator, inputs=None, **attributes):
    x = seeded(operator, inputs, low=-1.0, high=3.0, **attributes).ravel()
    if x.min() < -1 or x.max() >= 3:
        raise SystemExit(f"{operator}: {x.min()} … {x.max()} is outside of [-1, 3)")
    n = x.size
    expect(f"{operator}: the mean", x.mean(), 1, 4 / math.sqrt(12 * n))
    shares = np.histogram(x, bins=16, range=(-1, 3))[0] / n
    for share in shares:
        expect(f"{operator}: the share of a sixteenth", share, 1 / 16, math.sqrt(15 / 256 / n))
    lag = ((x[1:] - 1) * (x[:-1] - 1)).mean() / x.var()
    expect(f"{operator}: the correlation of neighbours", lag, 0, 1 / math.sqrt(n))


def bernoulli():
    chances = np.repeat(np.array([0.0, 0.1, 0.5, 0.9, 1.0], np.float32), COUNT)
    x = seeded("Bernoulli", {"x": chances})
    for index, chance in enumerate((0.0, 0.1, 0.5, 0.9, 1.0)):
        part = x[index * COUNT:(index + 1) * COUNT]
        expect(f"Bernoulli: the share at {chance}", part.mean(), chance,
               math.sqrt(chance * (1 - chance) / COUNT) + 1e-9)


def multinomial():
    chances = np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])
    x = seeded("Multinomial", {"x": np.log(chances).astype(np.float32)}, sample_size=COUNT)
    for row, wanted in zip(x, chances):
        for index, chance in enumerate(wanted):
            expect(f"Multinomial: the share of class {index}", (row == index).mean(), chance,
                   math.sqrt(chance * (1 - chance) / COUNT))


def dropout():
    from executors import EXECUTORS
    from generators.draw import model, node

    inputs = {"x": np.ones(COUNT, np.float32)}
    constants = {"r": np.float32(0.3), "t": np.array(True)}
    made = model([node("Dropout", ["x", "r", "t"], ["y", "m"], seed=7)], inputs, constants,
                 outputs=["y", "m"])
    y, mask = EXECUTORS["best"].run(made, list(inputs.values()))
    expect("Dropout: the share that is kept", mask.mean(), 0.7, math.sqrt(0.21 / COUNT))
    if not np.allclose(y[mask], 1 / 0.7) or y[~mask].any():
        raise SystemExit("Dropout: what is kept must grow by 1 / (1 - ratio), the rest be 0")


def main():
    sys.path.insert(0, str(FOLDER))
    like = {"x": np.zeros((COUNT // 100, 100), np.float32)}
    normal("RandomNormal", shape=[COUNT])
    normal("RandomNormalLike", like)
    uniform("RandomUniform", shape=[COUNT])
    uniform("RandomUniformLike", like)
    bernoulli()
    multinomial()
    dropout()
    print("the random operators draw as they promise")


if __name__ == "__main__":
    main()
