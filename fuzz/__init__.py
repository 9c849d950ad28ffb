"""Coverage-guided fuzzing of everything that reads bytes from outside. See docs/fuzzing.md."""
