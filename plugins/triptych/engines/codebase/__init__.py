"""Source trees."""
