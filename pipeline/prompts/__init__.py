"""From a Document to prompts: token ids that fit the context window exactly."""
