"""From phonemes to samples: acoustic stream, vocoder stream, one grid."""
