"""Everything that moves envelopes: one bearer a file, none of them knowing another."""
