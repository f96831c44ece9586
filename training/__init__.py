"""How voices are made: corpus, features, networks, training, evaluation, export. Nothing imports this at run time."""
