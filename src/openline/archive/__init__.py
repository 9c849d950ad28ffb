"""A line as a folder: written by one party, checked by anybody, without station, keys or network.

Functions over records and files. What authenticates is the kernel's; this
layer lays out, streams, compares, and says what was proved and what was not.

Spec: spec/14-export.md.
"""
