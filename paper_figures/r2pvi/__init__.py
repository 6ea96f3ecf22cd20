"""R2PVI: robust offline learning with a price on nature's divergence."""
