"""`zhiyin bench`: drive a speech server as many users would, and measure what they hear."""
