"""What FFmpeg's errors mean, in our words: its own (`Invalid data found when processing input`) help nobody."""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "InvalidDataError": "it is of no format that FFmpeg knows, or damaged",
    "EOFError": "it ends before anything can be read",
    "DecoderNotFoundError": "its codec is none that FFmpeg decodes",
    "PatchWelcomeError": "FFmpeg does not know this kind of it",
    "MemoryError": "its headers ask for more memory than there is",
}
"""By the names of PyAV's classes, so that who reads no media needs no PyAV."""


def reason_of(error: Exception) -> str:
    """Half a sentence, which goes on from a colon."""
    return REASONS.get(type(error).__name__, "FFmpeg cannot read it")
