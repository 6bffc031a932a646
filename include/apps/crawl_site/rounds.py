"""A site, round by round: each job fetches what the one before has linked to, until nothing is new.

    python3 rounds.py FOLDER URL ... [-- options of `triptych run`, such as -p app.delay_s=2]

Links to hosts of the given URLs are followed, and no others. FOLDER gets `round_1/merged.jsonl` and so on; a round
that is there already is not run again, so that what was interrupted goes on.
"""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit


def main(folder: Path, urls: list[str], options: list[str]) -> None:
    hosts = {urlsplit(url).netloc for url in urls}
    seen: set[str] = set()
    frontier, number = urls, 0
    while frontier:
        number += 1
        seen.update(frontier)
        done = folder / f"round_{number}"
        if not (done / "merged.jsonl").exists():
            done.mkdir(parents=True, exist_ok=True)
            (folder / f"round_{number}.txt").write_text("".join(f"{url}\n" for url in frontier))
            source = ["--source", str(folder / f"round_{number}.txt"), "--destination", f"{done}/"]
            subprocess.run([sys.executable, "-m", "triptych", "run", "crawl_site", *source, *options], check=True)
        pages = [json.loads(line) for line in (done / "merged.jsonl").read_text(encoding="utf-8").splitlines()]
        seen.update(page["final_url"] for page in pages if page.get("final_url"))
        links = (link for page in pages for link in page.get("links", ()))
        frontier = sorted({link for link in links if urlsplit(link).netloc in hosts} - seen)
        print(f"Round {number}: {len(pages)} pages, {len(frontier)} new links")


if __name__ == "__main__":
    given, _, rest = " ".join(sys.argv[1:]).partition(" -- ")
    place, *starts = given.split()
    main(Path(place), starts, rest.split())
