"""The skops format: the fitted estimator itself."""
