"""Published weights: finding, fetching and checking them. Reading order: `catalogue` (what is published, where a copy
lies, whether it is the right one), `download`, `mirror`."""
