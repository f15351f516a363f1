"""A whole first boot in a throwaway root, with real peers and no privileges."""
