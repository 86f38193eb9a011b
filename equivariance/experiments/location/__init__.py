"""What the experiments that ask where a picture lies share (quadrant, leak_distance): schema, features, fit, cost."""
