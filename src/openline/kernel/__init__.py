"""The trusted kernel: what it reports as authentic, intact and unforked is so.

Pure: no clock, no randomness, no input or output. An auditor starts and can
end here. Specification: spec/.
"""
