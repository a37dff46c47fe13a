"""What can be seen from outside: metrics, health, the page, and how logs look.

Nothing here is called per share, and nothing here is imported by what it watches: `app` hands in
callables that are asked when somebody looks, and passes on events when something happened.

- status   one look at the pool, as data
- recent   the last events in words
- page     the look as HTML
- metrics  the figures as Prometheus wants them
- http     serves all of it
- logs     the form of a log line
"""
