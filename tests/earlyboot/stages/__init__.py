"""The stages, run as the units run them."""
