"""JSON of any size as text: where its items lie in the source, and its records as values, many at once.

For an engine's author: `records` (JSON documents, arrays and JSON Lines as one stream of records), `paths` (`pick`: a
value by dotted name), `items` (the items of an array, or the keys of an object, below a path, as the source's own
text). `structure`, below both, finds brackets and commas in vectors. Memory: a block, and the entry or line at its
border, which may take an eighth of the engine's memory; what lies beside the path takes none.
"""
