"""Programs to run and to read: ``python -m mtarray.examples.<name>``, or `mtarray train <name>`."""

# What `mtarray train` lists: module of this package: one line of help. Each has a click command named `main`.
TRAINERS: dict[str, str] = {
    "scalar": "The first lesson: one neuron on numbers, every derivative printed.",
    "points": "Points of the plane in two classes: six sets, their decision surfaces.",
    "digits": "Real digits of 8×8 pixels, read by a small convolutional network.",
    "mnist": "LeNet on MNIST, from your files.",
    "sentences": "Sentences in classes, by convolutions over their words.",
    "text": "A transformer that writes text character by character.",
    "regression": "The diabetes data: a network beside ridge regression.",
    "pinn": "A pendulum's motion from its equation: second derivatives through the network.",
}

__all__ = ["TRAINERS"]
