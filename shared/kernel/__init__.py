"""The words every room shares: messages, deciders, refusals, values, time. Pure: no IO, no clock, no randomness."""
