"""`triptych app|engine|template push|pull|activate|deactivate|status`, and `list --published`."""
