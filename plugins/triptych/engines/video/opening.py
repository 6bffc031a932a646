"""Opening a video input, and what is said of one that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import av

from triptych.engines.api import Input
from triptych.engines.streams.ffmpeg_errors import reason_of
from triptych.engines.video.truncation import DamagedVideoError, require_whole


@contextmanager
def readable_video(item: Input) -> Iterator[BinaryIO]:
    """The open input, for as long as it is read: what is wrong with it meanwhile becomes its error.

    Raises that error at once for an empty file, and for one that is not all there.
    """
    if not item.size:
        text = "is empty, and a video is not. Leave it out."
        raise item.error(text)
    try:
        with item.open() as data:
            require_whole(data, item.size)
            yield data
    except DamagedVideoError as error:
        text = f"{error}. Make the file again, or leave it out."
        raise item.error(text) from error
    except av.FFmpegError as error:
        text = f"cannot be read as video: {reason_of(error)}. Correct the file or leave it out."
        raise item.error(text) from error
