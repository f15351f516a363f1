"""Simulated boots."""
