"""Domain events as pure functions of stored images, and their publishers."""
