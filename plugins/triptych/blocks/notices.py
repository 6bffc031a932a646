"""Reading who is told when a job of a template ends: `on_success` and `on_failure` of template.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triptych.blocks.document import Document
from triptych.blocks.model import Notice, Notifier
from triptych.schemas.diagnostics import nearest_or_all

_NONE = frozenset[str]()
_KEYS = {
    Notifier.WEBHOOK: (frozenset({"connection"}), frozenset({"endpoint"})),
    Notifier.EMAIL: (frozenset({"to"}), frozenset({"connection"})),
    Notifier.SLACK: (frozenset({"connection"}), _NONE),
}
"""What each must have beside `notifier`, and may have."""


def read_notices(document: Document, key: str) -> tuple[Notice, ...]:
    """The list under this key; what is wrong with it is noted in the document, and left out here."""
    found = document.data.get(key)
    listed = found if isinstance(found, list) else []
    read = [_read(document, item, key, number) for number, item in enumerate(listed) if isinstance(item, dict)]
    return tuple(notice for notice in read if notice)


def _read(document: Document, item: Mapping[str, Any], key: str, number: int) -> Notice | None:
    name = item.get("notifier")
    if name not in list(Notifier):
        return None  # The schema's own error says so.
    notifier = Notifier(name)
    needed, others = _KEYS[notifier]
    for missing in sorted(needed - item.keys()):
        document.error(f"is missing, which a notice by {notifier} needs.", key, number, missing)
    for odd in sorted(item.keys() - needed - others - {"notifier"}):
        document.error(f"is no key of a notice by {notifier}.{nearest_or_all(odd, needed | others)}", key, number, odd)
    to = item.get("to", ())
    return Notice(notifier, item.get("connection"), item.get("endpoint"), (to,) if isinstance(to, str) else tuple(to))
