"""Measurements beside the bare limit: `./zikao bench`."""
