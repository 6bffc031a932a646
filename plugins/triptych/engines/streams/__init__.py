"""Byte streams: file objects over blocks, blocks fetched ahead."""
