"""Sorting beyond memory."""
