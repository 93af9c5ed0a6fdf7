"""One module a group of commands: read arguments, call one use case, render, exit."""
