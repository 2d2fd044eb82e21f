"""The data contract: one JSON Schema and the three forms made from it (decoder, validator, Arrow)."""
