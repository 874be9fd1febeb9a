"""The stages of the pipeline: a thin asynchronous shell around the pure core of rules/."""
