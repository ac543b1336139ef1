"""Many queries at once: answer them, and measure the answers against what a data set says is right."""
