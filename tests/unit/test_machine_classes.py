"""The table of machine classes: what is read of it, and that each mistake is one sentence with its place."""

from __future__ import annotations

import pytest

from triptych.errors import ConfigError
from triptych.machine_classes import MachineClass
from triptych.settings import read_settings

SMALL = '"cores": 8, "memory_gib": 32'


def test_a_table_is_read_in_its_order() -> None:
    table = f'{{"b": {{{SMALL}}}, "a": {{{SMALL}, "gpus": 2, "gpu_name": "NVIDIA L4", "queue": "q", "pool": "p"}}}}'
    assert read_settings({"classes": table}).classes == (
        MachineClass("b", 8, 32),
        MachineClass("a", 8, 32, 2, "NVIDIA L4", "q", "p"),
    )


@pytest.mark.parametrize("text", ["", "  \n", "{}"])
def test_without_a_table_there_are_no_classes(text: str) -> None:
    assert read_settings({"classes": text}).classes == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{small}", r"classes: is no JSON: .*line 1, column 2"),
        ("[" * 100_000, "classes: cannot be read"),
        ('{"a": ' + "9" * 5000 + "}", "classes: cannot be read"),
        ("[]", "classes: must be an object by the classes' names, such as"),
        (f'{{"a": {{{SMALL}}}, "a": {{}}}}', "classes: cannot be read: 'a' is there twice"),
        (f'{{"a": {{{SMALL}, "cores": 1}}}}', "'cores' is there twice"),
        (f'{{" ": {{{SMALL}}}}}', "' ' is no name of a class"),
        ('{"a": 8}', r"classes\.a: must be an object"),
        ('{"a": {"cores": 8}}', r"classes\.a: memory_gib must be a number above 0, and is missing"),
        ('{"a": {"cores": "8", "memory_gib": 1}}', 'cores must be a number above 0, and is "8"'),
        ('{"a": {"cores": true, "memory_gib": 1}}', "cores must be a number above 0, and is true"),
        ('{"a": {"cores": NaN, "memory_gib": 1}}', "NaN is no number"),
        ('{"a": {"cores": 1e999, "memory_gib": 1}}', "cores must be a number above 0"),
        (f'{{"a": {{{SMALL}, "gpus": 1.5}}}}', "gpus must be a whole number of at least 0, and is 1.5"),
        (f'{{"a": {{{SMALL}, "gpus": -1}}}}', "gpus must be a whole number of at least 0, and is -1"),
        (f'{{"a": {{{SMALL}, "gpu_name": "T4"}}}}', "gpu_name is given, and gpus is not"),
        (f'{{"a": {{{SMALL}, "queue": ["q"]}}}}', r'queue must be a name of at most 256 letters, and is \["q"\]'),
        (f'{{"a": {{{SMALL}, "memory": 1}}}}', "there is no key 'memory'; there are cores, memory_gib, gpus, "),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=rf"^\[triptych\] .*{says}") as caught:
        read_settings({"classes": text})
    assert len(str(caught.value)) < 400
