"""Archives of many files: tars and zips written as streams, and safe reading of those that somebody else wrote.

An engine's author writes with `members.tar_of` and `write_zip`, reads a tar's files one after the other with
`members.read_tar`, and takes a folder's sources or whole archives for one tree of files with `tree.open_tree`.
Memory: names are kept, contents never; a compressed tar is unpacked into scratch where its files are to be reached
alone. Every name that is read has passed `members.safe_name`; links and special files are refused.
"""
