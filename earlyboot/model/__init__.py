"""The typed model of the settings: one module per group, the scalars in `types`, and the check that uses them. Pure."""
