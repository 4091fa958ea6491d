"""Uploaded photographs and printed papers: image checks, document crop, OCR hints, fonts.

Pure CPU work, bytes in and frozen results out. Services call it through `pool.py`, off the event loop.
"""
