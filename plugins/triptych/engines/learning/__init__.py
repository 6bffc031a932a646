"""What learning from data needs on many machines: records split into folds, and models averaged.

For an engine's author: `folds` (which fold each record is in, as scikit-learn splits), `samples` (the records of
tables), `fold_chunks`; `chunk_models` (which results are models, and their weights), `tensors` (what a model of named
arrays is, read a piece at a time), `averaging`.
Memory: of folds some bytes a record; of models a block of one tensor.
"""
