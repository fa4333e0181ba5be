"""Neural networks: modules, layers, losses, optimisers."""
