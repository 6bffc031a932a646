"""Publishing through the API: `publishers` says who may, `pushes` what becomes of what they send."""
