"""Pairs of reads: the two ends of one fragment, which lie in two files or interleaved in one.

Two reads are mates where their names, up to the first blank, are equal, or differ in their last part only: a/1 and a/2,
a_1 and a_2, or SRR1.7.1 and SRR1.7.2 (`fastq-dump -I`). Where a number of the mate follows (`1:N:0:ATCACG`, Casava
1.8), it counts too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.api import Input, Source
from triptych.engines.arrays.text_columns import BytesColumn, MaskColumn
from triptych.engines.genomics.fastx import Records
from triptych.errors import TriptychError

_HEADER = r"^(?P<name>[^ \t\r]*)(?:[ \t]+(?P<casava>[1-3]):[YN]:)?"
_NUMBERED = r"(?:/[123]|_[12]|\.[0-9]+\.[12])$"
_NUMBER = re.compile(r"(?<![A-Za-z0-9])([12])(?![A-Za-z0-9])")
_READ_NUMBER = re.compile(r"(?<![A-Za-z0-9])(?:[Rr]|[Rr]ead)([12])(?![A-Za-z0-9])")
"""Of a mate in a file's name; the last one counts, and with an R sooner than alone."""


def paired_files(
    first: Iterable[Records], second: Iterable[Records], owners: Sequence[Input]
) -> Iterator[list[Records]]:
    """The records of two files side by side, as many of one as of the other; both have their headers.

    The second owner's error for a read that is not the mate of the one beside it, and for more or fewer records.
    """
    seen, blocks = 0, (iter(first), iter(second))
    open_parts: list[Records | None] = [next(each, None) for each in blocks]
    while (one := open_parts[0]) is not None and (other := open_parts[1]) is not None:
        count = min(len(one), len(other))
        _check(one.headers[:count], other.headers[:count], seen, owners)
        yield [one.part(0, count), other.part(0, count)]
        seen += count
        for index, each in enumerate((one, other)):
            open_parts[index] = each.part(count, len(each)) if len(each) > count else next(blocks[index], None)
    if open_parts[0] is not open_parts[1]:
        amount = "fewer" if open_parts[1] is None else "more"
        text = f"has {amount} records than {owners[0].label}; pairs need as many."
        raise owners[1].error(text)


def interleaved(records: Iterable[Records], owner: Input) -> Iterator[list[Records]]:
    """The same records, of which each second one is the mate of the one before; else the owner's error."""
    seen, left = 0, pa.array([], pa.large_binary())
    for block in records:
        headers = pa.concat_arrays([left, block.headers])
        pairs = pa.array(np.arange(0, len(headers) - 1, 2))
        _check(headers.take(pairs), headers.take(pc.add(pairs, 1)), seen, [owner], step=2)
        seen, left = seen + 2 * len(pairs), headers[2 * len(pairs) :]
        yield [block]


def _check(ones: BytesColumn, others: BytesColumn, seen: int, owners: Sequence[Input], step: int = 1) -> None:
    """Raises the last owner's error for the first two that are no mates; `seen` records came before, `step` a pair."""
    index = pc.index(_are_mates(ones, others), pa.scalar(False)).as_py()
    if index >= 0:
        raise _no_mates(ones[index].as_py(), others[index].as_py(), seen + step * index, owners)


def _no_mates(one: bytes, other: bytes, number: int, owners: Sequence[Input]) -> TriptychError:
    names = [header.decode(errors="replace").strip()[:100] for header in (one, other)]
    where = (
        f"records {number} and {number + 1}, counted from 0, are {names[0]!r} and {names[1]!r}"
        if len(owners) == 1
        else f"record {number}, counted from 0, is {names[1]!r}, and in {owners[0].label} it is {names[0]!r}"
    )
    return owners[-1].error(
        f"{where}: these are no pair. Give the two ends of each fragment in one order, as `seqkit pair` or "
        "`repair.sh` put them."
    )


def _are_mates(ones: BytesColumn, others: BytesColumn) -> MaskColumn:
    """Whether names are equal, or but for the mates' numbers, and these ascend: /1 and /2, but not /1 and /1."""
    (name, casava), (other_name, other_casava) = (_name_and_casava(headers) for headers in (ones, others))
    are_mates = pc.and_(pc.equal(name, other_name), pc.invert(pc.match_substring_regex(name, "/[1-3]$")))
    if not pc.all(are_mates).as_py():
        are_mates = pc.or_(are_mates, _are_numbered(name, other_name))
    casavas = pc.or_(pc.or_(pc.equal(casava, b""), pc.equal(other_casava, b"")), pc.less(casava, other_casava))
    return pc.and_(are_mates, casavas)


def _name_and_casava(headers: BytesColumn) -> tuple[BytesColumn, BytesColumn]:
    fields = pc.extract_regex(headers, _HEADER)
    return pc.struct_field(fields, ["name"]), pc.struct_field(fields, ["casava"])


def _are_numbered(names: BytesColumn, others: BytesColumn) -> MaskColumn:
    """Whether names end in /1 and /2, _1 and _2, or behind another number in .1 and .2, and are else equal."""
    (stem, dot, number), (other_stem, other_dot, other_number) = (
        (pc.binary_slice(each, 0, -2), pc.binary_slice(each, -2, -1), pc.binary_slice(each, -1))
        for each in (names, others)
    )
    same = pc.and_(pc.equal(stem, other_stem), pc.equal(dot, other_dot))
    ascend = pc.and_(pc.less(number, other_number), pc.match_substring_regex(names, _NUMBERED))
    return pc.and_(pc.and_(same, ascend), pc.match_substring_regex(others, _NUMBERED))


def file_pairs(sources: Sequence[Source]) -> list[tuple[Source, Source]]:
    """Files two by two: by the numbers in their names, in whatever order two patterns list them, else as given.

    b_R1, a_R1, a_R2, b_R2 -> (b_R1, b_R2), (a_R1, a_R2). The source's error for two that both say that they are R1.
    """
    mates: dict[str, dict[str, list[Source]]] = {}
    for source in sources:
        name, number = _without_number(source)
        mates.setdefault(name, {}).setdefault(number, []).append(source)
    if all(sorted(found) == ["1", "2"] and all(len(each) == 1 for each in found.values()) for found in mates.values()):
        return [(found["1"][0], found["2"][0]) for found in mates.values()]
    given = list(zip(sources[::2], sources[1::2], strict=True))
    for one, other in given:
        numbers = [_READ_NUMBER.findall(each.path)[-1:] for each in (one, other)]
        if numbers[0] == numbers[1] != []:
            text = f"and {one.label} are both R{numbers[0][0]} by their names. Give R1 and R2 of each pair, in order."
            raise other.error(text)
    return given


def _without_number(source: Source) -> tuple[str, str]:
    """Its path without the number of the mate, and that: a_1_R2.fq -> a_1_R?.fq, 2; without one the second is empty."""
    found = [*_NUMBER.finditer(source.path), *_READ_NUMBER.finditer(source.path)][-1:]
    if not found:
        return source.path, ""
    start, end = found[0].span(1)
    return f"{source.path[:start]}?{source.path[end:]}", found[0][1]
