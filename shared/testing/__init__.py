"""What tests, the demo and the sandbox share: given/when/then, fakes, the clock, synthetic people and their papers."""
