"""Where the parts meet: the only package that knows them all. Nobody imports it but the CLI."""
