"""The networks, as PyTorch modules: whole-utterance forms, streaming forms, discriminators and losses."""
