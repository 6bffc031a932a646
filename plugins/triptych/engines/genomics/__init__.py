"""FASTA and FASTQ: where records end and how many bases they hold, found without a copy.

For an engine's author: `fastx.fasta_records` and `fastx.fastq_records` scan a source's blocks, or those of its unpacked
copy. Memory: a block and arrays of its records; of a wrapped record only counts, however long it is.
"""
