"""The shared library of the five services: facts, rules, documents, and everything that touches the outside."""
