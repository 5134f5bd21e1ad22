"""What operators' programs call: JSON under /api/v1. Each endpoint is a row of a table; see `endpoints`, `routes`."""
