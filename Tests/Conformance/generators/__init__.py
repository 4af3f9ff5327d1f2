"""Seeded generators of small ONNX models for the differential test, by family.

A generator takes a `Draw` and returns a `Case`. What it returns must be a function of the draws
alone, so that a case is known by its number. It need not be valid: what ONNX Runtime refuses is
counted and left out.
"""

from . import elementwise, graphs, matrices, movement, reductions, spatial
from .draw import Case, Draw

__all__ = ["FAMILIES", "Case", "Draw"]

FAMILIES = {
    name: generator
    for module in (elementwise, graphs, matrices, movement, reductions, spatial)
    for name, generator in module.FAMILIES.items()
}
