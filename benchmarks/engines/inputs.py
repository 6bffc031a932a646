"""Large inputs for the benchmarks of engines; each writer takes a folder and about so many bytes, returns the path."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

Writer = Callable[[Path, int], Path]
START = datetime(2026, 1, 1, tzinfo=UTC)
PART_COUNT = 8
PARAGRAPH = "A task is seldom one task. It is many small ones, e.g. these, in a row. Cut where nothing is lost.\n" * 6
LINE = json.dumps({"id": 1, "value": 2.5, "text": "x" * 60})


def table(folder: Path, size: int, *, header: bool = True, keys: int = 40) -> Path:
    """Rows of a number, one of `keys` keys, a month and a text, no two blocks alike in their numbers."""
    path, draw = folder / "t.csv", random.Random(1)
    rows = [f"k{draw.randrange(keys)},2026-{1 + n % 12:02}-01T00:00:00Z,text" for n in range(max(10_000, keys))]
    with path.open("w") as out:
        out.write("id,key,at,text\n" if header else "")
        while out.tell() < size:
            numbers = draw.choices(range(10**9), k=len(rows))
            out.write("".join(f"{number},{row}\n" for number, row in zip(numbers, rows, strict=True)))
    return path


bare_table = partial(table, header=False)
many_keys = partial(table, keys=100_000)


def tables(folder: Path, size: int, *, in_order: bool = False) -> Path:
    """Several tables, each with a header; in order of their numbers if wanted."""
    whole = folder / "tables"
    whole.mkdir()
    for number in range(PART_COUNT):
        path = table(folder, size // PART_COUNT).rename(whole / f"t{number}.csv")
        if in_order:
            header, *rows = path.read_text().splitlines(keepends=True)
            rows.sort(key=lambda row: int(row.partition(",")[0]))
            path.write_text(header + "".join(rows))
    return whole


tables_in_order = partial(tables, in_order=True)


def lines(folder: Path, size: int) -> Path:
    path, draw = folder / "l.jsonl", random.Random(1)
    with path.open("w") as out:
        while out.tell() < size:
            numbers = draw.choices(range(10**9), k=10_000)
            out.write("".join(f'{{"id": {number}, "value": 2.5, "text": "{"x" * 60}"}}\n' for number in numbers))
    return path


def document(folder: Path, size: int) -> Path:
    path = folder / "d.json"
    with path.open("w") as out:
        out.write('{"items": [' + LINE)
        for _ in range(size // len(LINE) // 1000):
            out.write(("," + LINE) * 1000)
        out.write("]}")
    return path


def log(folder: Path, size: int) -> Path:
    path = folder / "a.log"
    with path.open("w") as out:
        for number in range(size // 80):
            at = START + timedelta(seconds=number // 20)
            out.write(f"{at:%Y-%m-%dT%H:%M:%SZ} INFO some text that fills the line up to eighty bytes or so\n")
    return path


def markdown(folder: Path, size: int) -> Path:
    path = folder / "t.md"
    with path.open("w") as out:
        for number in range(size // (len(PARAGRAPH) * 10)):
            out.write(f"# Part {number}\n\n" + (PARAGRAPH + "\n") * 10)
    return path


def urls(folder: Path, size: int) -> Path:
    path = folder / "u.txt"
    with path.open("w") as out:
        for number in range(size // 45):
            out.write(f"https://h{number % 97}.example.org/files/{number:09d}\n")
    return path


def sources(folder: Path, size: int) -> Path:
    path = folder / "s.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(size // 20_000):
            archive.writestr(f"src/p{number // 100}/m{number % 100}.py", os.urandom(10_000).hex())
    return path


def reads(folder: Path, size: int) -> Path:
    path, draw = folder / "r.fastq", random.Random(1)
    bases = ["".join(draw.choices("ACGT", k=100)) for _ in range(1000)]
    with path.open("w") as out:
        for block in range(size // 220_000):
            out.write(
                "".join(f"@read{block * 1000 + n} lane\n{each}\n+\n{'I' * 100}\n" for n, each in enumerate(bases))
            )
    return path


def packed_reads(folder: Path, size: int) -> Path:
    plain = reads(folder, size)
    path = folder / "r.fastq.gz"
    with plain.open("rb") as data, gzip.open(path, "wb", 1) as out:
        shutil.copyfileobj(data, out)
    plain.unlink()
    return path


def genome(folder: Path, size: int) -> Path:
    path, draw = folder / "g.fasta", random.Random(1)
    record = "".join("".join(draw.choices("ACGT", k=60)) + "\n" for _ in range(50))
    with path.open("w") as out:
        for number in range(size // len(record)):
            out.write(f">contig{number}\n{record}")
    return path


def picture(folder: Path, size: int) -> Path:
    """Noise, which no format makes small."""
    import numpy as np
    from PIL import Image

    side = int((size / 3) ** 0.5)
    noise = np.random.default_rng(1).integers(0, 255, (side, 512, 3), np.uint8)
    path = folder / "i.tif"
    Image.fromarray(np.tile(noise, (1, -(-side // 512), 1))[:, :side]).save(path)
    return path


def photos(folder: Path, size: int) -> Path:
    """JPEGs of two megapixels, about 1 MB each."""
    import numpy as np
    from PIL import Image

    whole = folder / "photos"
    whole.mkdir()
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (150, 200, 3), np.uint8)).resize((1600, 1200))
    held = number = 0
    while held < size:
        path = whole / f"p{number:04}.jpg"
        noise.rotate(number % 7).save(path, quality=97)
        held, number = held + path.stat().st_size, number + 1
    return whole


def sound(folder: Path, size: int) -> Path:
    """Half a second of noise, half a second of silence, and so on."""
    import numpy as np
    import soundfile

    path = folder / "a.wav"
    second = np.random.default_rng(1).integers(-20000, 20000, (48_000, 2), np.int16)
    second[24_000:] = 0
    with soundfile.SoundFile(path, "w", 48_000, 2, "PCM_16") as out:
        for _ in range(size // second.nbytes):
            out.write(second)
    return path


def flac(folder: Path, size: int) -> Path:
    """A tone with some noise: `size` bytes when unpacked."""
    import numpy as np
    import soundfile

    path = folder / "a.flac"
    noise = np.random.default_rng(1).normal(0, 200, (48_000, 2))
    tone = 8000 * np.sin(np.arange(48_000) / 48_000 * 440 * 2 * np.pi)[:, None]
    second = (noise + tone).astype(np.int16)
    with soundfile.SoundFile(path, "w", 48_000, 2, "PCM_16") as out:
        for _ in range(size // second.nbytes):
            out.write(second)
    return path


def speech(folder: Path, size: int) -> Path:
    """A minute of the samples' speech, whatever the size: the detector transcribes."""
    import soundfile

    sample = Path(__file__).resolve().parents[2] / "include/engines/samples/speech.flac"
    data, rate = soundfile.read(sample, dtype="int16")
    path = folder / "s.wav"
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as out:
        for _ in range(max(1, 60 * rate // len(data))):
            out.write(data)
    return path


def video(folder: Path, size: int) -> Path:
    """H.264 with AAC, as many minutes as there are 20 MB."""
    path = folder / "v.mp4"
    inputs = "-f lavfi -i testsrc2=size=640x360:rate=25 -f lavfi -i sine -c:v libx264 -preset ultrafast -g 50 -c:a aac"
    command = ["ffmpeg", "-v", "error", *inputs.split(), "-t", str(max(60, size // 333_000)), str(path)]
    subprocess.run(command, check=True)
    return path


def models(folder: Path, size: int) -> Path:
    """As many npz files as there are parts, each with two tensors of 32-bit floats."""
    import numpy as np

    whole, draw = folder / "models", np.random.default_rng(1)
    whole.mkdir()
    count = size // PART_COUNT // 8
    for number in range(PART_COUNT):
        tensors = {name: draw.random(count, np.float32) for name in ("encoder", "decoder")}
        np.savez(whole / f"m{number}.npz", **tensors)  # type: ignore[arg-type]  # numpy's stubs take the names for options
    return whole
