"""From float samples to what travels: resampling, PCM, WAV headers. No models, no sockets."""
