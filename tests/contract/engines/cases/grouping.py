"""group_by."""

from __future__ import annotations

import random
from collections.abc import Mapping

from tests.contract.engines.cases import Join
from tests.support.engine_harness import Results


def _sales() -> list[Results]:
    return [
        Results({"s.csv": b"city,amount\nK\xc3\xb6ln,0.1\nBonn,9007199254740993\nK\xc3\xb6ln,\n"}),
        Results({}),
        Results({"s.csv": b"amount,city\n0.2,K\xc3\xb6ln\n1,Bonn\n"}),
    ]


def _summed(found: Mapping[str, bytes]) -> None:
    # As floats, 0.1 + 0.2 is not 0.3, and 2 ** 53 + 1 is not odd.
    expected = "city,count,amount_sum,amount_top1\nBonn,2,9007199254740994,[9007199254740993]\nKöln,3,0.3,[0.2]\n"
    assert found == {"grouped.csv": expected.encode()}


def _large(factor: int) -> list[Results]:
    """Many keys, and one key that has half of the rows: neither is held."""
    source = random.Random(factor)
    rows = [b"%d,%d,%s\n" % (source.randrange(10**9) * (n % 2), n, b"x" * 400) for n in range(20_000)]
    return [Results({"t.csv": b"id,n,note\n" + b"".join(rows)}) for _ in range(factor)]


CASES = [
    Join(
        "group_by",
        {"by": ["city"], "aggregates": ["count", "amount:sum", "amount:top1"]},
        _sales,
        _summed,
        bad={"aggregates": ["amount:median"]},
        corrupt=lambda: [*_sales(), Results({"s.csv": b"city,amount\nBonn,1\nBonn,1 EUR\n"})],
        says=r"chunk 3, 's.csv': the record at byte 19 \(line 3\): '1 EUR' in 'amount' is no number",
    ),
    Join(
        "group_by",
        {"by": ["id"], "aggregates": ["n:sum", "note:max:text", "note:distinct"], "name": "g.jsonl"},
        lambda: [Results({"a.jsonl": b'{"id": 1, "n": 1.50, "note": "x"}\n{"id": 1, "n": null, "note": "y"}\n'})],
        lambda found: _same(found["g.jsonl"], b'{"id": 1, "n_sum": 1.5, "note_max": "y", "note_distinct": 2}\n'),
        bad={"by": []},
        corrupt=lambda: [Results({"fact.csv": b"id\n1\n", "customer.csv": b"id\n1\n"})],
        says="chunk 0, 'fact.csv': the results have several names: 'customer.csv', 'fact.csv'",
        grow=_large,
    ),
]


def _same(found: object, expected: object) -> None:
    assert found == expected
