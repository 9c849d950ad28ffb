"""Programs that make the vectors: python -m vectors.generate"""
