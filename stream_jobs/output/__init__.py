"""What the command line and the logs write: the one way out, on which no text from outside can command a terminal."""
