# Where the shells look by themselves.
bashcompdir = $(datadir)/bash-completion/completions
zshcompdir = $(datadir)/zsh/site-functions
fishcompdir = $(datadir)/fish/vendor_completions.d

bashcomp_DATA = completions/bash/librefang
zshcomp_DATA = completions/_librefang
fishcomp_DATA = completions/librefang.fish
