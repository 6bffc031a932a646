"""Asks a language model one thing for each record of a chunk: `data.bin` in, `answers.jsonl` out, in the same order.

A record is a row whose fields go into the prompt, or a line of OpenAI's batch file (custom_id, method, url, body),
which comes back as one of its output file. Who is asked is an endpoint that speaks OpenAI's API, or, where none is
named, the model in the image: alone, one record at a time and at temperature 0, so that a record's answer is the same
whatever else is in its chunk.
"""

import csv
import hashlib
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from pathlib import Path

MODEL = "/model/SmolLM2-135M-Instruct.Q4_1.gguf"
CHAT = "/v1/chat/completions"
PATHS = (CHAT, "/v1/completions", "/v1/embeddings", "/v1/responses")
Answer = tuple[int, dict]
"""Status, and what was said; of a status that is not 200 under `error`, as OpenAI has it."""


class Local:
    """The model in the image, asked as an endpoint is."""

    def __init__(self, params: dict) -> None:
        # What llama.cpp says of its own is no user's.
        sys.stderr, silent = os.fdopen(os.dup(2), "w"), os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 2)
        import xllamacpp

        told = xllamacpp.CommonParams()
        told.model.path = MODEL
        told.n_ctx, told.n_parallel = params.get("context_tokens", 2048), 1
        # As many as min_cpu: a thread more waits by spinning, and takes 15 times the CPU.
        threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        told.cpuparams.n_threads = told.cpuparams_batch.n_threads = threads
        self.server, self.at_once = xllamacpp.Server(told), 1

    def ask(self, path: str, body: dict) -> Answer:
        if path != CHAT:
            return fault(404, f"the model in the image answers {CHAT} only")
        # A kept beginning of another prompt would change sums, and with them, now and then, a word.
        asked = {"temperature": 0, "seed": 0, **body, "cache_prompt": False, "stream": False}
        try:
            said = self.server.handle_chat_completions(asked)
        except ValueError as error:
            return fault(400, str(error))
        if "error" in said:
            return fault(said["error"].get("code", 500), said["error"]["message"])
        kept = {key: said[key] for key in ("object", "choices", "usage")}
        name = hashlib.sha256(json.dumps([asked, kept], sort_keys=True).encode()).hexdigest()
        return 200, {"id": f"chatcmpl-{name[:24]}", "created": 0, **kept, "model": Path(MODEL).stem}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """None: another host has no business with the key, nor with the prompts."""


class Endpoint:
    """Whoever answers at `base_url`. It has the key where the connection says that the key is for it."""

    def __init__(self, params: dict) -> None:
        self.base_url = params["base_url"].rstrip("/")
        self.tries, self.longest_wait_s = params.get("tries", 6), params.get("max_wait_s", 60)
        self.timeout_s, self.at_once = params.get("timeout_s", 120), params.get("requests_at_once", 4)
        self.opener = urllib.request.build_opener(NoRedirect)
        is_for = os.environ.get("llm_batch_key_ACCESS_KEY", "").rstrip("/")  # noqa: SIM112 - the connection's id.
        key = os.environ.get("llm_batch_key", "").strip()  # noqa: SIM112 - likewise.
        self.key = key if is_for == self.base_url else ""
        self.no_key = ""
        if key and not self.key:
            self.no_key = f" No key was sent: the one in llm_batch_key is for {is_for or 'nobody, as it has no login'}."

    def ask(self, path: str, body: dict) -> Answer:
        """Again, while it is busy or silent, when it says, else later each time."""
        for attempt in range(self.tries):
            status, said, asked_s = self._once(path, body)
            if not (status in (0, 408, 429) or status >= 500) or attempt == self.tries - 1:
                break
            wait_s = min(2.0**attempt if asked_s is None else asked_s, self.longest_wait_s)
            print(f"{status or 'no answer'}; once more in {wait_s:g} s", flush=True)
            time.sleep(wait_s)
        if status == 0:
            raise SystemExit(
                f"{self.base_url} does not answer. Has the container a network? {said['error']['message']}"
            )
        if status in (401, 403, 404) or 300 <= status < 400:
            raise SystemExit(f"{self.base_url}: {status}, {said['error']['message']}.{self.no_key}")
        return status, said

    def _once(self, path: str, body: dict) -> tuple[int, dict, float | None]:
        """And how many seconds it wants to be left alone."""
        url = self.base_url + path.removeprefix("/v1")
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        if self.key:
            request.add_unredirected_header("Authorization", f"Bearer {self.key}")
        try:
            with self.opener.open(request, timeout=self.timeout_s) as reply:
                said = self._read(reply)
                return (*((reply.status, said) if said else fault(502, "the answer is no JSON")), None)
        except urllib.error.HTTPError as error:
            said = self._read(error)
            if not isinstance(said.get("error"), dict):  # A proxy's, say, of HTML.
                said = {"error": {}}
            said["error"].setdefault("message", error.reason)
            return error.code, said, seconds(error.headers.get("Retry-After", ""))
        except (OSError, HTTPException) as error:
            return (*fault(0, str(getattr(error, "reason", error))), None)

    def _read(self, reply: HTTPResponse | urllib.error.HTTPError) -> dict:
        """What was said, without the key, should it be said back; empty when it is no JSON object."""
        try:
            said = without(self.key, json.loads(reply.read()))
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}


def without(key: str, value: object) -> object:
    if isinstance(value, dict):
        return {without(key, name): without(key, each) for name, each in value.items()}
    if isinstance(value, list):
        return [without(key, each) for each in value]
    return value.replace(key, "***") if key and isinstance(value, str) else value


def fault(status: int, message: str) -> Answer:
    return status, {"error": {"message": message}}


def seconds(retry_after: str) -> float | None:
    """Of a Retry-After: a number, or a date (RFC 9110, 10.2.3)."""
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None


class Batch:
    """One chunk's records, as requests; and what came of them, as records again."""

    def __init__(self, params: dict, model: Local | Endpoint) -> None:
        self.params, self.model = params, model
        self.prices = params.get("price_per_million_input"), params.get("price_per_million_output")

    def answered(self, record: tuple[str, dict]) -> dict:
        label, row = record
        return self.batch_line(label, row) if "custom_id" in row and "body" in row else self.row(label, row)

    def row(self, label: str, row: dict) -> dict:
        status, said = self.model.ask(CHAT, self.body(label, row))
        if status != 200:
            return {"id": label, "answer": None, "error": f"{status}: {said['error']['message']}"}
        choice = (said.get("choices") or [{}])[0]
        message = choice.get("message") or {}
        text = message.get("content")
        answer = {"id": label, "answer": text, "error": None}
        if text is None:
            answer["error"] = message.get("refusal") or "no text"
        elif self.params.get("answer_schema"):
            try:
                answer["answer"] = json.loads(text)
            except ValueError:
                answer |= {"answer": None, "error": "no JSON", "text": text}
        return {**answer, "finish_reason": choice.get("finish_reason"), "model": said.get("model"), **self.cost(said)}

    def body(self, label: str, row: dict) -> dict:
        def field(found: re.Match) -> str:
            if found[1] not in row:
                raise SystemExit(f"{label} has no field {found[1]!r}; it has {', '.join(row)}.")
            value = row[found[1]]
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

        asked = re.sub(r"\{(\w+)\}", field, self.params.get("prompt", "{prompt}"))
        messages = [{"role": "user", "content": asked}]
        if system := self.params.get("system"):
            messages.insert(0, {"role": "system", "content": system})
        body = {"messages": messages, "temperature": self.params.get("temperature", 0)}
        body["max_tokens"] = self.params.get("max_tokens", 256)
        if self.params.get("model"):
            body["model"] = self.params["model"]
        if schema := self.params.get("answer_schema"):
            named = {"name": "answer", "schema": schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        body |= self.params.get("request", {})
        return {key: value for key, value in body.items() if value is not None}

    def batch_line(self, label: str, line: dict) -> dict:
        """As OpenAI's output file has it; what its error file has is in `error`."""
        name = f"batch_req_{hashlib.sha256(str(line['custom_id']).encode()).hexdigest()[:24]}"
        out = {"id": name, "custom_id": line["custom_id"], "response": None, "error": None}
        if line.get("method", "POST") != "POST" or line.get("url", CHAT) not in PATHS:
            message = f"{label}: method POST and one of {', '.join(PATHS)} are wanted."
            return {**out, "error": {"code": "invalid_request", "message": message}}
        status, said = self.model.ask(line.get("url", CHAT), line["body"])
        response = {"status_code": status, "request_id": said.get("id", ""), "body": said}
        if status != 200:
            error = {"code": str(said["error"].get("code") or status), "message": said["error"]["message"]}
            return {**out, "response": response, "error": error}
        return {**out, "response": response, **self.cost(said, of="cost")}

    def cost(self, said: dict, of: str | None = None) -> dict:
        """Tokens in and out, and what they cost at the prices that parameters say; `of`: one of these alone."""
        used = said.get("usage") or {}
        tokens = [
            used.get(f"{old}_tokens", used.get(f"{new}_tokens", 0))
            for old, new in (("prompt", "input"), ("completion", "output"))
        ]
        found: dict = {"input_tokens": tokens[0], "output_tokens": tokens[1]}
        if any(price is not None for price in self.prices):
            sums = (count * (price or 0) for count, price in zip(tokens, self.prices, strict=True))
            found["cost"] = round(sum(sums) / 1e6, 9)
        return found if of is None else {key: found[key] for key in found if key == of}


def records(path: Path, told: dict, params: dict) -> Iterator[tuple[str, dict]]:
    """Of each record its id and its fields. Where no field has an id, it is the source's name and the number there."""
    name, first, id_field = told.get("source", "data"), told.get("first_row", 0), params.get("id_field")
    suffix = Path(name).suffix.lower()
    with path.open(encoding="utf-8", newline="") as file:
        if suffix in (".csv", ".tsv"):
            usual = "," if suffix == ".csv" else "\t"
            rows: Iterator[dict] = csv.DictReader(file, delimiter=told.get("dialect", {}).get("delimiter", usual))
        elif suffix in (".jsonl", ".ndjson"):
            rows = map(json.loads, filter(str.strip, file))
        else:
            rows = ({"prompt": line.rstrip("\r\n")} for line in file)
        for number, row in enumerate(rows, first):
            if id_field and id_field not in row:
                raise SystemExit(f"Record {number} of {name} has no field {id_field!r}; it has {', '.join(row)}.")
            yield str(row[id_field]) if id_field else f"{name}:{number}", row


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    given = list(records(Path(os.environ["TASK_DIR"], "data.bin"), json.loads(os.environ["CHUNK_METADATA"]), params))
    model = Endpoint(params) if params.get("base_url") else Local(params)
    batch, failed = Batch(params, model), 0
    with (
        Path(os.environ["TASK_RESULTS_DIR"], "answers.jsonl").open("w", encoding="utf-8") as out,
        ThreadPoolExecutor(model.at_once) as pool,
    ):
        try:
            for answer in pool.map(batch.answered, given):
                out.write(json.dumps(answer, ensure_ascii=False) + "\n")
                failed += answer["error"] is not None
        except SystemExit:
            pool.shutdown(cancel_futures=True)
            raise
    print(f"{len(given)} answers, {failed} of them none")


if __name__ == "__main__":
    main()
