"""The atlas: the geometry of the convolutional networks of torchvision and timm, proved without their weights."""
