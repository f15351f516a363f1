"""The command line: one module per family of verbs, and the only place that exits."""
