"""From text to the symbols a Sambert voice reads: segmenter, normaliser, pronunciation, ids."""
