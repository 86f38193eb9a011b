"""What the controlled experiments share (impulse, rook, red_green): each has its own network on its own images."""
