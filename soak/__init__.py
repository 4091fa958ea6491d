"""The soak: a load over HTTP while things break, and a checker that compares what was said with what is there."""
