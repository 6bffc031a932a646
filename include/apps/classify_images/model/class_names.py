"""`n02123045` and its words -> `tabby`: the first of each class' words, a line for each, in the network's order."""

import sys
from pathlib import Path

synsets, lemmas, target = map(Path, sys.argv[1:])
words = dict(line.split("\t", 1) for line in lemmas.read_text().splitlines())
names = [words[synset].split(",")[0].strip() for synset in synsets.read_text().split()]
target.write_text("\n".join(names) + "\n")
