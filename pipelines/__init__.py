"""Moves data: the only code that touches the network, the disk or the clock."""
