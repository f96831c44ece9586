"""The core of Zhiyin: text in, audio out. It knows no sockets, no HTTP and no training."""
