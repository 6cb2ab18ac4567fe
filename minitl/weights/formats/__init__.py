"""What files of weights look like inside."""
