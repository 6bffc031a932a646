"""The endpoints, a module for each part of the API; each has a `router`."""
