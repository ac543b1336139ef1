"""Speed of the network on a GPU: `python -m benchmarks.speed.gpu`."""
