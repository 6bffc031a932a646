"""Filters of the list of jobs."""

from __future__ import annotations

import pytest

from triptych.api.answers import ApiError
from triptych.api.console.filtering import Filters, filters_of

RUN = {"dag_id": "enhance", "dag_run_id": "manual__1", "note": "For Ann", "conf": {"name": "Straße"}}


@pytest.mark.parametrize("text", ["", "enh", "MANUAL", "for ann", "strasse", "ß"])
def test_a_text_is_found_in_whatever_a_list_shows(text: str) -> None:
    assert Filters(text=text).takes_run(RUN)


def test_another_text_is_not() -> None:
    assert not Filters(text="bob").takes_run(RUN)
    assert not Filters(text="bob").takes_run({**RUN, "note": None, "conf": None})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"status": "x"}, "filters.status: is unknown."),
        ({"state": "failed"}, "filters.state: is one of JOB_STATE_NEW, JOB_STATE_QUEUED"),
        ({"text": 3}, "text: must be a text."),
    ],
)
def test_what_is_no_filter_is_told(given: dict[str, object], told: str) -> None:
    with pytest.raises(ApiError) as raised:
        filters_of(given)
    assert raised.value.message.startswith(told)


def test_names_may_be_written_either_way() -> None:
    assert filters_of({"template_id": "enhance", "state": "JOB_STATE_FAILED"}) == Filters("enhance", "JOB_STATE_FAILED")
