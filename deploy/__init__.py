"""Ways to run what hearthwatch needs; ``deploy.local`` is the stack embedded in the Python packages."""
