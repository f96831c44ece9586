"""The aiohttp shell around the core: configuration, protocols, command line."""
