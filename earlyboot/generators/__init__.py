"""Settings that are generated where nobody sets them."""
