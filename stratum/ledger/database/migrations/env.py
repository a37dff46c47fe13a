"""What Alembic runs: it works on the connection that engine.py hands over, and opens none."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
