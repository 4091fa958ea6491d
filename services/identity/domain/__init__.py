"""The rules of identity: commands, the three deciders, laws, limits. Pure."""
