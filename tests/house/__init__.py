"""The rules of the house as tests: sizes, names, and that the documents tell the truth about the code."""
