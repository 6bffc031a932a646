"""All results' vectors as one HNSW index: Parquet files in, `index.usearch` and `records.parquet` out.

The key of a vector is the number of its row in `records.parquet`. Distances are 1 minus the cosine. One thread adds
them, one after the other: the same results give the same index.
"""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from usearch.index import Index


def main() -> None:
    params = json.loads(os.environ["ASSEMBLER_PARAMS"])
    output = Path(os.environ["OUTPUT_DIR"])
    index, writer, rows = None, None, 0
    # By name: they begin with the number of their chunk.
    for path in sorted(Path(os.environ["TASK_RESULTS_DIR"]).glob("*.parquet")):
        # In pieces: as it stands, pyarrow reads the columns of a row group whole before its first row is there.
        for batch in pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False).iter_batches(batch_size=8192):
            table = pa.Table.from_batches([batch])
            vectors = np.stack(table["vector"].to_numpy()) if len(table) else np.zeros((0, 1), np.float32)
            records = table.drop_columns(["vector"])
            writer = writer or pq.ParquetWriter(output / "records.parquet", records.schema)
            writer.write_table(records)
            if len(table):
                index = index or Index(
                    ndim=vectors.shape[1],
                    metric="cos",
                    dtype="f32",
                    connectivity=params.get("connectivity", 16),
                    expansion_add=params.get("expansion", 128),
                )
                index.add(np.arange(rows, rows + len(table)), vectors, threads=1)
                rows += len(table)
    if index is None:
        raise SystemExit("No result has a vector.")
    writer.close()
    index.save(str(output / "index.usearch"))
    print(f"{rows} vectors of {index.ndim}, {index.memory_usage >> 20} MiB")


if __name__ == "__main__":
    main()
