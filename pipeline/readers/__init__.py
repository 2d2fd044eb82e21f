"""From a source file to a Document: text with named, located segments."""
