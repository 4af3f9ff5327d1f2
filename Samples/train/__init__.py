"""A small one-stage anchor-free detector: network, loss, training, export."""
