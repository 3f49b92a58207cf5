"""One file per command: options in, one call downwards, a result out."""
