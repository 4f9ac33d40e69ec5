"""Pictures made by optimising the input: images, transforms, and the one ascent loop."""
