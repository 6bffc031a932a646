"""Aligns one chunk of reads to the side input `index`: `data.bin` in, `aligned.sam` or `counts.json` out.

The chunk's metadata tell how many of its bytes are of each file: two are the first and the second reads of pairs.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

COUNTS = {
    "reads": r"(\d+) reads; of these",
    "unaligned": r"(\d+) \([\d.]+%\) aligned 0 times",
    "aligned_once": r"(\d+) \([\d.]+%\) aligned exactly 1 time",
    "aligned_more": r"(\d+) \([\d.]+%\) aligned >1 times",
    "concordant_never": r"(\d+) \([\d.]+%\) aligned concordantly 0 times",
    "concordant_once": r"(\d+) \([\d.]+%\) aligned concordantly exactly 1 time",
    "concordant_more": r"(\d+) \([\d.]+%\) aligned concordantly >1 times",
    "discordant_once": r"(\d+) \([\d.]+%\) aligned discordantly 1 time",
}
"""In Bowtie 2's summary. Of pairs, `reads` counts pairs; the next three, mates of those that align as none."""


def index_prefix(folder: Path) -> str:
    """What Bowtie 2 calls the index: the name of its files without `.rev.1.bt2`, or `.rev.1.bt2l` of a large one."""
    found = sorted(folder.glob("*.rev.1.bt2*")) if folder.is_dir() else []
    if len(found) != 1:
        raise SystemExit(f"The side input index holds {len(found)} Bowtie 2 indexes, and one is needed: bowtie2-build.")
    return found[0].name.partition(".rev.1.bt2")[0]


def read_files(data: Path, metadata: dict) -> list[str]:
    """The chunk's reads as files of its folder: one, or one for each mate."""
    parts = metadata.get("files") or [{"size": data.stat().st_size}]
    names = [f"reads_{number}.fastq" for number, _ in enumerate(parts, 1)]
    with data.open("rb") as source:
        for name, part in zip(names, parts, strict=True):
            left = part["size"]
            with data.with_name(name).open("wb") as file:
                while block := source.read(min(left, 1 << 20)):
                    left -= file.write(block)
    return names


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    folder = Path(os.environ["TASK_DIR"])
    index = Path(os.environ["INPUTS_DIR"], "index")
    names = read_files(folder / "data.bin", json.loads(os.environ["CHUNK_METADATA"]))
    given = ["-1", names[0], "-2", names[1]] if len(names) == 2 else ["-U", names[0]]
    # The header has this command, and is to be the same in each chunk: paths are those from the chunk's folder.
    (folder / "index").symlink_to(index)
    command = ["bowtie2", f"--{params.get('preset', 'sensitive')}", "-x", f"index/{index_prefix(index)}", *given]
    done = subprocess.run([*command, "-S", "aligned.sam"], cwd=folder, stderr=subprocess.PIPE, text=True, check=False)
    print(done.stderr, file=sys.stderr)
    if done.returncode:
        raise SystemExit(done.returncode)

    results = Path(os.environ["TASK_RESULTS_DIR"])
    if params.get("result", "sam") == "sam":
        shutil.move(folder / "aligned.sam", results / "aligned.sam")
        return
    found = {name: re.search(pattern, done.stderr) for name, pattern in COUNTS.items()}
    counts = {name: int(match[1]) if match else 0 for name, match in found.items()}
    (results / "counts.json").write_text(json.dumps(counts))


if __name__ == "__main__":
    main()
