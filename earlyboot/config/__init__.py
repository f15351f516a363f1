"""What the image builder chose: where things are, earlyboot.toml, the profiles."""
