"""How voices are made: corpus, features, networks, training, evaluation, export; not used at run time."""
