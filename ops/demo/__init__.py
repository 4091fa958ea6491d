"""The demonstration: a made-up candidate goes through a 1+X exemption on the real stack, over HTTP only."""
