"""From rows to committed Parquet datasets."""
