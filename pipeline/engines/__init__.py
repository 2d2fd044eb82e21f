"""From prompts to generations: one file an engine."""
