"""Vectors of one chunk of texts: `data.bin` in, `vectors.parquet` out, with a row per record: id, text, vector.

The model is all-MiniLM-L6-v2: six layers of BERT, the mean over a text's tokens, length 1. It is small enough to be
written down here in numpy. Two texts are as similar as their vectors' dot product says, from -1 to 1.
"""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file
from scipy.special import erf
from tokenizers import Tokenizer

MODEL = Path("/model")
HEADS, LAYERS = 12, 6
TEXTS_AT_ONCE = 32


class MiniLM:
    def __init__(self, max_tokens: int) -> None:
        self.weights = load_file(MODEL / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
        self.tokenizer.enable_truncation(max_tokens)
        self.tokenizer.enable_padding()

    def linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        spread = np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return (x - x.mean(-1, keepdims=True)) / spread * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def attention(self, x: np.ndarray, mask: np.ndarray, layer: str) -> np.ndarray:
        texts, tokens, width = x.shape
        query, key, value = (
            self.linear(x, f"{layer}.attention.self.{each}").reshape(texts, tokens, HEADS, -1).transpose(0, 2, 1, 3)
            for each in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.sqrt(width / HEADS) + (mask[:, None, None, :] - 1) * 1e9
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        seen = (shares / shares.sum(-1, keepdims=True)) @ value
        return self.linear(seen.transpose(0, 2, 1, 3).reshape(texts, tokens, width), f"{layer}.attention.output.dense")

    def encode(self, texts: list[str]) -> np.ndarray:
        """float32 [texts, 384], each of length 1."""
        encoded = self.tokenizer.encode_batch(texts)
        ids = np.array([each.ids for each in encoded])
        mask = np.array([each.attention_mask for each in encoded], np.float32)
        words, places, kinds = (
            self.weights[f"embeddings.{each}_embeddings.weight"] for each in ("word", "position", "token_type")
        )
        x = self.norm(words[ids] + places[: ids.shape[1]] + kinds[0], "embeddings.LayerNorm")
        for number in range(LAYERS):
            layer = f"encoder.layer.{number}"
            x = self.norm(x + self.attention(x, mask, layer), f"{layer}.attention.output.LayerNorm")
            wide = self.linear(x, f"{layer}.intermediate.dense")
            wide = (wide * 0.5 * (1 + erf(wide / np.sqrt(2)))).astype(np.float32)
            x = self.norm(x + self.linear(wide, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        mean = (x * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
        return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)


def records(path: Path, told: dict, params: dict) -> Iterator[tuple[str, str]]:
    """Of each record its id and its text. Where no field has an id, it is the source's name and the record's number."""
    name, first = told.get("source", "data"), told.get("first_row", 0)
    field, id_field = params.get("field", "text"), params.get("id_field")
    suffix = Path(name).suffix.lower()
    with path.open(encoding="utf-8", newline="") as file:
        if suffix in (".csv", ".tsv"):
            usual = "," if suffix == ".csv" else "\t"
            rows = csv.DictReader(file, delimiter=told.get("dialect", {}).get("delimiter", usual))
        elif suffix in (".jsonl", ".ndjson"):
            rows = map(json.loads, filter(str.strip, file))
        else:
            rows = ({field: line.rstrip("\r\n")} for line in file)
        for number, row in enumerate(rows, first):
            if field not in row:
                raise SystemExit(f"Record {number} of {name} has no field {field!r}; it has {', '.join(row)}.")
            yield str(row[id_field]) if id_field else f"{name}:{number}", str(row[field])


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    given = list(records(Path(os.environ["TASK_DIR"], "data.bin"), json.loads(os.environ["CHUNK_METADATA"]), params))
    ids, texts = [each[0] for each in given], [each[1] for each in given]
    model = MiniLM(params.get("max_tokens", 256))
    # Texts of like length together: a batch is as long as its longest.
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    vectors = np.zeros((len(texts), 384), np.float32)
    for start in range(0, len(order), TEXTS_AT_ONCE):
        batch = order[start : start + TEXTS_AT_ONCE]
        vectors[batch] = model.encode([texts[number] for number in batch])
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 384)
    table = pa.table({"id": ids, "text": texts, "vector": column})
    pq.write_table(table, Path(os.environ["TASK_RESULTS_DIR"], "vectors.parquet"))
    print(f"{len(texts)} texts")


if __name__ == "__main__":
    main()
