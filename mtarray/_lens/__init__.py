"""The pages of `mtarray lens`."""
