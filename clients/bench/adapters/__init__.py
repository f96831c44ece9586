"""How each kind of server is asked to speak. One file per protocol behind `adapter.Adapter`."""
