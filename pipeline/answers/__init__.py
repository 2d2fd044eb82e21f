"""From generations to records, and from records to one row a document."""
