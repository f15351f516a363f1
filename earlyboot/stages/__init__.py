"""What the units run: one module a stage, and the timeline and status that they leave."""
