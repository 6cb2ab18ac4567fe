"""Published weights. Reading order: `catalogue` (what there is, where it lies, whether it is that), `download`,
`mirror`."""
