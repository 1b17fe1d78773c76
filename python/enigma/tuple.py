"""Nested tuples of ints: shapes, strides and coordinates of layouts, and functions on them."""

from enigma._core import (
    ceil_div,
    compact_col_major,
    compact_order,
    compact_row_major,
    crd2crd,
    crd2idx,
    flatten,
    idx2crd,
    inner_product,
    is_compatible,
    is_congruent,
    is_weakly_congruent,
    product,
    product_each,
    shape_div,
)

__all__ = [
    "ceil_div", "compact_col_major", "compact_order", "compact_row_major", "crd2crd", "crd2idx",
    "flatten", "idx2crd", "inner_product", "is_compatible", "is_congruent", "is_weakly_congruent",
    "product", "product_each", "shape_div",
]  # fmt: skip
