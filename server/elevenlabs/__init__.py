"""ElevenLabs' protocols: speech over HTTP and two WebSockets. `routes` puts them into the application."""
