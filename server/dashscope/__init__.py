"""DashScope's protocols: Sambert, CosyVoice and Qwen-TTS, over WebSockets and HTTP. `routes` lists them."""
