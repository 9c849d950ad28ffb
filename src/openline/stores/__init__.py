"""Stores: where a station's lines are kept. One file each, held to one contract test; none knows another."""
