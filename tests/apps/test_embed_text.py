"""`embed_text` beside published similarities, and its index beside a search through all vectors."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pyarrow.parquet as pq

from tests.apps.conftest import App
from tests.support.app_images import APPS
from tests.support.app_tests import states
from triptych.settings import PROJECT

CHECK = APPS / "embed_text" / "test" / "check.py"
NEAREST = 10


def test_the_sample_and_a_mistake(image: Callable[[str], str], tmp_path: Path) -> None:
    image("embed_text")
    assert states("embed_text", PROJECT / "include", tmp_path) == {"embed_text": "passed"}
    folder = tmp_path / "include" / "apps" / "embed_text"
    shutil.copytree(APPS / "embed_text", folder)
    script = folder / "app" / "main.py"
    assert "+ kinds[0]" in script.read_text()
    script.write_text(script.read_text().replace("+ kinds[0]", ""))
    assert states("embed_text", tmp_path / "include", tmp_path) == {"embed_text": "failed"}


def test_the_check_sees_one_vector_changed(run_app: App, tmp_path: Path) -> None:
    sample = APPS / "embed_text" / "test" / "sentences.jsonl"
    output = run_app("embed_text", [sample], "-p", "app.id_field=id")
    command = [sys.executable, str(CHECK), str(output), str(CHECK.parent / "expected")]
    assert subprocess.run(command, check=False).returncode == 0
    table = pq.read_table(output / "vectors.parquet")
    vectors = np.array(table["vector"].to_pylist(), np.float32)
    vectors[0, 0] += 0.01
    changed = table.set_column(2, "vector", [vectors.tolist()])
    pq.write_table(changed, output / "vectors.parquet")
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1


def test_the_index_finds_what_a_search_through_all_finds(
    run_app: App, image: Callable[[str], str], tmp_path: Path
) -> None:
    """Of paragraphs of Python's own help, in several chunks."""
    split = re.compile(r"\n\s*\n")
    paragraphs = [" ".join(text.split()) for topic in topics.values() for text in split.split(topic)]
    texts = sorted({text for text in paragraphs if 60 < len(text) < 200})[::4]
    assert 190 < len(texts) < 210
    (tmp_path / "help.txt").write_text("".join(f"{text}\n" for text in texts))
    output = run_app("embed_index", [tmp_path / "help.txt"], "-p", "partitioner.items_per_chunk=90")
    assert pq.read_table(output / "records.parquet")["text"].to_pylist() == texts

    # What is in the index, and what it says is near, by the library in the image; the truth is made here.
    script = (
        "import numpy as np\n"
        "from usearch.index import Index\n"
        "index = Index.restore('/output/index.usearch')\n"
        f"vectors = np.stack([index.get(key) for key in range({len(texts)})])\n"
        f"np.savez('/output/found.npz', vectors=vectors, keys=index.search(vectors, {NEAREST}).keys)\n"
    )
    mounted = ["--volume", f"{output}:/output", "--volume", f"{APPS / 'embed_text' / 'app'}:/app:ro"]
    docker = ["docker", "run", "--rm", "--network", "none", "--label", "triptych.test=apps", *mounted]
    subprocess.run([*docker, image("embed_text"), "python3", "-c", script], check=True)
    found = np.load(output / "found.npz")
    assert np.allclose(np.linalg.norm(found["vectors"], axis=1), 1, atol=1e-5)
    truth = np.argsort(-found["vectors"] @ found["vectors"].T, axis=1)[:, :NEAREST]
    hits = sum(len(set(one) & set(other)) for one, other in zip(truth.tolist(), found["keys"].tolist(), strict=True))
    assert hits >= 0.99 * len(texts) * NEAREST

    question = "how do I catch an error and go on"
    search = [*docker, image("embed_text"), "python3", "-B", "/app/search.py", "/output", question]
    done = subprocess.run(search, check=True, capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 6
    assert "exception" in done.stdout
