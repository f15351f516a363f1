"""The command lines, as other programs see them."""
