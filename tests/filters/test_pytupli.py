"""PyTupli's filter classes have a named counterpart each."""

from __future__ import annotations

import pytest

from pytupli_registry.filters.pytupli import AND, EQ, GEQ, GT, IN, LEQ, LT, NE, OR
from pytupli_registry.filters.text import parse


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (EQ("length", 3), "length == 3"),
        (EQ("seed", None), "seed is None"),
        (NE("metadata.month", "June"), "metadata.month != 'June'"),
        (GT("total_return", 1.5), "total_return > 1.5"),
        (GEQ("total_return", 1), "total_return >= 1"),
        (LT("options.mass", 1), "options.mass < 1"),
        (LEQ("observation.2", 1), "observation[2] <= 1"),
        (LEQ("observation.camera.-1", 1), "observation.camera[-1] <= 1"),
        (EQ("month name", "June"), "metadata['month name'] == 'June'"),
        (IN("month", ["June", "July"]), "month in ['June', 'July']"),
        (IN("month", []), "month in []"),
        (AND(EQ("a", 1), EQ("b", 2), EQ("c", 3)), "a == 1 and b == 2 and c == 3"),
        (OR(EQ("a", 1), AND(EQ("b", 2), EQ("c", 3))), "a == 1 or b == 2 and c == 3"),
        (EQ("a", 1) & EQ("b", 2) | ~EQ("c", 3), "a == 1 and b == 2 or not c == 3"),
        (AND(), "True"),
        (OR(), "False"),
        (AND(EQ("a", 1)), "a == 1"),
    ],
)
def test_counterparts(made, text):
    assert str(made) == text
    assert parse(text) == made
