"""Batches for background work: so many rows at once, found by their index. What is done with them is the caller's."""

BATCH = 500
# Ends the SELECT of a batch, which is locked; what others have locked is left out. The rows are then found with
# `key = ANY (ARRAY(SELECT … {LOCKED}))`, each by the index: joined with the batch, a large table would be read whole.
# The limit is written out: PostgreSQL takes an unknown one for a tenth of the table.
LOCKED = f"LIMIT {BATCH} FOR UPDATE SKIP LOCKED"
