"""FASTA and FASTQ: where records end and how many bases they hold, found without a copy; and which files are pairs.

For an engine's author: `fastx.fasta_records` and `fastx.fastq_records` scan a source's blocks, or those of its unpacked
copy. `mates` walks through two such scans, or one of interleaved records, and refuses what is no pair. `bam` makes SAM
of BAM, which is read as a table. Memory: a block and arrays of its records; of a wrapped record only its header and
counts, however long it is.
"""
