"""From settings to configuration files, and what those files belong to."""
