"""A change of a draft: judged before it is kept, and made again where somebody else was faster."""

from __future__ import annotations

from collections.abc import Callable

from triptych.api.answers import ApiError
from triptych.api.callers import Caller
from triptych.api.drafts import Draft, Drafts
from triptych.api.finding import find_draft
from triptych.api.judging import judge
from triptych.api.threads import in_thread
from triptych.errors import ObjectConflictError

_TRIES = 5


async def changed(caller: Caller, job_id: str, edit: Callable[[Draft], Draft]) -> Draft:
    """What `edit` makes of the draft; ApiError or JobSpecError, and nothing changed, when it would be wrong so."""
    for _ in range(_TRIES):
        draft = edit(await find_draft(caller, job_id))
        await judge(draft.template, draft.conf, is_whole=False)
        try:
            await in_thread(Drafts(caller.id).keep, draft)
        except ObjectConflictError:
            continue
        return draft
    raise ApiError(503, "Others are changing this job, again and again. Try again.")
