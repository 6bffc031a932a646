"""One job: how it goes, its end, its output, and what one may do to it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import Any, Literal
from urllib.parse import quote

from triptych.client.refusals import ClientError, NotFoundError, StillRunningError, UnreachableError, refusal
from triptych.client.session import Session
from triptych.client.showing import Counts, shown
from triptych.errors import JobFailedError

AT_ONCE = 4
"""Files that are fetched."""
PATIENCE_S = 120.0
"""For so long a server may be away while a job is waited for."""
_PAUSE_S = 1.0
PREFIX = "JOB_STATE_"
"""Before the state's name, as the API has it."""


class State(StrEnum):
    """Of a job, in the order in which they come; NEW is a draft's."""

    NEW = "new"
    QUEUED = "queued"
    PARTITIONING = "partitioning"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes, unless it is retried."""
        return self in (State.COMPLETE, State.FAILED)


@dataclass(frozen=True)
class JobStatus:
    """A job at one moment. `error` says why it failed; times are of UTC."""

    id: str
    template: str
    name: str
    state: State
    error: str
    chunks: int
    created: datetime | None
    started: datetime | None
    ended: datetime | None
    about: Mapping[str, Any] = field(repr=False)
    """All that the server says of it."""

    @property
    def seconds(self) -> float | None:
        """From its start to its end."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else None


@dataclass(frozen=True)
class Event:
    """A change of a job: its state, and its chunks as far as they are known."""

    state: State
    chunks: int = 0
    done: int = 0
    failed: int = 0


@dataclass(frozen=True)
class OutputFile:
    """One file of a job's output; `link` needs no login, for a while: whoever has it has the file."""

    name: str
    link: str = field(repr=False)


class Job:
    """A job of one's server by its id; it holds nothing that the server does not know."""

    def __init__(self, session: Session, identity: str) -> None:
        self.id = identity
        self._session = session
        self._path = f"/customer/jobs/{quote(identity, safe='')}"

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    def status(self) -> JobStatus:
        """How it is now."""
        return status_of(self._session.ask("GET", self._path).get("job"))

    def events(self) -> Iterator[Event]:
        """Each change, from how things are now to the job's end. A connection that breaks off is made anew.

        UnreachableError once the server has been away for two minutes.
        """
        return (event for event in self._moments() if event is not None)

    def wait(self, *, timeout_s: float | None = None, progress: bool | None = None) -> Job:
        """Until it has ended well; the job, so that `client.launch(...).wait().download("out")` reads as it runs.

        A bar shows its chunks in a notebook and on a terminal, elsewhere nothing; `progress` says otherwise.
        JobFailedError has the server's reason. StillRunningError after `timeout_s`: the job goes on.
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        state = State.QUEUED
        with shown(self.id, progress) as show:
            for event in self._moments():
                if event is not None:
                    state = event.state
                    show(Counts(state.value, event.chunks, event.done, event.failed, state.has_ended))
                if not state.has_ended and end is not None and time.monotonic() >= end:
                    msg = f"The job {self.id} is {state} after {timeout_s:g} s, and goes on: wait again, or cancel it."
                    raise StillRunningError(msg)
        if state is State.FAILED:
            status = self.status()
            remedy = "job.logs() has what its tasks said; job.retry() does again what is left undone."
            msg = f"The job {self.id} of {status.template} failed: {status.error}\n{remedy}"
            raise JobFailedError(msg)
        return self

    def outputs(self) -> Sequence[OutputFile]:
        """The files of its output; none while it runs. RefusedError, with the reason, when it failed."""
        rows = self._session.ask("GET", f"{self._path}/results").get("results")
        return [OutputFile(str(row["name"]), str(row["link"])) for row in rows or ()]

    def read(self, name: str) -> bytes:
        """The bytes of one file of its output; NotFoundError names those that there are."""
        found = {file.name: file for file in self.outputs()}
        if name not in found:
            msg = f"The job {self.id} has no output {name!r}. It has: {', '.join(sorted(found)) or 'none yet'}."
            raise NotFoundError(msg)
        return b"".join(self._session.fetch(found[name].link, name))

    def download(self, folder: str | Path = ".") -> list[Path]:
        """Fetch its output into a folder, which is made; the paths, in the order of the output.

        Each file appears when all of it has come, in place of one that was there. ClientError for a name that
        would lie outside of the folder.
        """
        files = self.outputs()
        places = [_place(Path(folder), file.name) for file in files]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for each in [pool.submit(self._fetch, file, place) for file, place in zip(files, places, strict=True)]:
                each.result()
        return places

    def logs(self, *levels: str) -> list[str]:
        """What its tasks said, a line each, with level and task: all, or of levels such as "ERROR"."""
        told = self._session.ask("POST", "/customer/logs", {"jobId": self.id, "levels": list(levels)})
        packs = [pack["logs"] for _, pack in sorted(told.get("taskrunner", {}).items(), key=lambda item: int(item[0]))]
        lines = [line for part in (told.get("partitioner"), *packs, told.get("assembler")) for line in part or ()]
        return [f"{line['level']:5} {line['container']}: {line['log']}" for line in lines]

    def cancel(self) -> None:
        """Stop it: it fails, and says who did it. A draft is deleted. RefusedError when it has ended already."""
        self._session.ask("POST", f"{self._path}/abort")

    def retry(self, *, new_code: Literal["keep", "rerun"] | None = None) -> Job:
        """Do again what did not end well, with the code of its launch; the job, to be waited for. What is done stays.

        With `new_code` by the code as the API server has it now: `keep` what is done, or `rerun` all of it.
        RefusedError while it runs.
        """
        self._session.ask("POST", f"{self._path}/retry", {"newCode": new_code} if new_code else None)
        return self

    def rerun(self) -> Job:
        """Start another job as this one was started: the new one."""
        return Job(self._session, str(self._session.ask("POST", f"{self._path}/rerun")["id"]))

    def delete(self) -> None:
        """Remove a draft, or the record of a job that has ended; its output stays."""
        self._session.ask("DELETE", self._path)

    def report(self) -> Mapping[str, Any]:
        """What it came to: durations, failures by message, memory, core-hours. NotFoundError before its end."""
        found = json.loads(self._session.read(f"{self._path}/report.json"))
        assert isinstance(found, dict)  # As the server made it.
        return found

    def save_report(self, path: str | Path = "report.html") -> Path:
        """The same as a page, for a browser: one file, which asks nobody for anything."""
        place = Path(path)
        _write(place, [self._session.read(f"{self._path}/report")])
        return place

    def _moments(self) -> Iterator[Event | None]:
        """Each change, and None now and then while there is none: whoever waits can look at the clock."""
        last: Event | None = None
        away_since: float | None = None
        while last is None or not last.state.has_ended:
            try:
                for event in self._stream(last):
                    away_since = None
                    yield event if event != last else None
                    last = event or last
                if last is not None and last.state.has_ended:
                    return
                # A stream ends after an hour, too; and what is between us may hold its messages back.
                seen = self._look(last)
            except UnreachableError:
                now = time.monotonic()
                away_since = away_since or now
                if now - away_since >= PATIENCE_S:
                    raise
                time.sleep(_PAUSE_S)
                yield None
                continue
            yield seen if seen != last else None
            last = seen

    def _stream(self, last: Event | None) -> Iterator[Event | None]:
        """The events of one connection; None for what only says that it is there."""
        event, is_known = last or Event(State.NEW), last is not None
        with self._session.stream("/customer/events", {"jobId": self.id, "progress": "true"}) as lines:
            for line in lines:
                if not line.startswith(b"data: "):
                    yield None
                    continue
                message = json.loads(line.removeprefix(b"data: "))
                if error := message.get("error"):
                    raise refusal(int(error["code"]), str(error["message"]), self._session.url)
                data = message["result"]["data"]
                if "state" in data:
                    event, is_known = replace(event, state=_state(data["state"])), True
                else:
                    chunks, done, failed = (int(data.get(key, 0)) for key in ("numChunks", "numDone", "numFailed"))
                    event = Event(event.state, chunks, done, failed)
                yield event if is_known else None

    def _look(self, last: Event | None) -> Event:
        status = self.status()
        counts = (last.done, last.failed) if last else (0, 0)
        return Event(status.state, status.chunks or (last.chunks if last else 0), *counts)

    def _fetch(self, file: OutputFile, place: Path) -> None:
        _write(place, self._session.fetch(file.link, file.name))


def status_of(about: object) -> JobStatus:
    """The job that an answer has under `job`, or in a list; ClientError for what is none."""
    if not isinstance(about, dict) or not isinstance(about.get("id"), str):
        msg = "The answer holds no job. Is this the address of an Airflow with Triptych?"
        raise ClientError(msg)
    return JobStatus(
        about["id"],
        str(about.get("templateId") or ""),
        str(about.get("name") or ""),
        _state(about.get("state")),
        str(about.get("errorMessage") or ""),
        int(about.get("numChunks") or 0),
        _time(about.get("createdAt")),
        _time(about.get("startedAt")),
        _time(about.get("endedAt")),
        about,
    )


def _state(text: object) -> State:
    try:
        return State(str(text).removeprefix(PREFIX).lower())
    except ValueError:
        msg = f"The server says {text!r} of the job's state, which this client does not know: update `triptych`."
        raise ClientError(msg) from None


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _place(folder: Path, name: str) -> Path:
    """Where in the folder a file of this name lies: a script chose the name, on another machine."""
    parts = PurePosixPath(name).parts
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\0" in name or "\\" in name:
        msg = f"The output has a file {name!r}, which would lie outside of {folder}: fetch it by `job.read`."
        raise ClientError(msg)
    return folder.joinpath(*parts)


def _write(place: Path, blocks: Iterable[bytes]) -> None:
    """All of them, or no file; OSError as Python has it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{token_hex(8)}.part")
    try:
        with part.open("xb") as out:
            out.writelines(blocks)
        part.replace(place)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
