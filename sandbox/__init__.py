"""Stand-ins for the outside world, for tests and demonstrations: they speak the real systems' protocols.

Nothing here is part of Zikao in production, and nothing of Zikao is imported here.
"""
