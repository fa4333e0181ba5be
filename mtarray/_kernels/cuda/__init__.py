"""The CUDA engine: kernels compiled by Numba to cubins, launched through cuda.core, or run by a simulator where there is no GPU."""

import functools
import importlib

# The module here that holds the engine ops of this name: functions of the same name, of Tensors and the same static parameters.
ENGINES = {
    name: module
    for module, names in {
        "products": "product dots affine",
        "layout": "triangle convert join repeat_all repeat_each slide",
        "gather": "taken taken_along",
        "moments": "variance",
        "search": "arg_extreme",
        "compact": "indices_nonzero",
        "bounds": "places",
        "sorting": "sorted_along order_along partitioned partition_order",
        "sets": "distinct member",
        "histogram": "tally tally_weights",
        "factor": "inverse determinant adjugate solution cholesky_factor sign_and_logdet",
        "reflections": "qr_factors",
        "spectral": "svd_factors singular_values pseudo_inverse least_squares eigh_pairs eigh_values eig_pairs eig_values",
        "fourier": "fourier",
        "convolution": "convolved convolved_with_bias convolved_back correlated",
        "pooling": "max_pooled picked put_back",
        "normalise": "normalised",
        "softmax": "softmax_rows softmax_back log_softmax_rows log_softmax_back class_losses class_slopes",
        "recurrence": "linear_recurrence",
        "recurrent": "recurrent",
    }.items()
    for name in names.split()
}


@functools.cache
def part(name):
    """A module of this package, imported when it is first wanted."""
    return importlib.import_module(f"{__name__}.{name}")


@functools.cache
def engine(name):
    """The device's implementation of an engine op; NotImplementedError where there is none yet."""
    module = ENGINES.get(name)
    try:
        return getattr(part(module), name)
    except (ModuleNotFoundError, AttributeError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name != f"{__name__}.{module}":
            raise
        raise NotImplementedError(
            f"{name} has no kernel for CUDA devices yet; move its operands to the CPU with x.to_device('cpu') first"
        ) from None
