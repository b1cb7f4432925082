# Templates are embedded in the command; see cli/local.mk for the dependency.
