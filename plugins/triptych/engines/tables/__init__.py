"""Tables as text and Parquet: CSV, TSV and JSON Lines with the byte of every record, without a loop over records.

For an engine's author: `formats` (what a file is, and the one dialect of CSV), `record_ends` (byte ranges of records),
`csv_batches` (records of CSV, or lines, in batches with raw values as columns), `text_codec` (raw values to text and
back), `json_lines` (values of JSON Lines as columns), `fields` (numbers by field), `group_by` (records by a label),
`keyed` and `join` (tables by key), `named_cells` (cells of named columns of any format), `parquet`, `duckdb_tables`.
`record_ends` and `formats` need no library but NumPy.
Memory: a batch of about 2 MiB and the record at its border, which may take an eighth of the engine's memory; what has
to be gathered or sorted goes to the scratch folder.
"""
