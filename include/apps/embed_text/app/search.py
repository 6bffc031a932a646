"""Looks texts up by what they mean: python3 search.py FOLDER "a question" ... prints the five nearest of each."""

import sys
from pathlib import Path

import pyarrow.parquet as pq
from main import MiniLM
from usearch.index import Index


def main(folder: Path, questions: list[str]) -> None:
    index = Index.restore(str(folder / "index.usearch"))
    records = pq.read_table(folder / "records.parquet")
    for question, vector in zip(questions, MiniLM(256).encode(questions), strict=True):
        print(question)
        for match in index.search(vector, 5):
            (record,) = records.slice(int(match.key), 1).to_pylist()
            print(f"  {1 - match.distance:.3f}  {record['id']}  {record['text'][:100]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
