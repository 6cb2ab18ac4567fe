"""Never lose work."""
