"""What can be seen from outside: metrics, health, the page, and how logs look.

Nothing here is called per share, and nothing here is imported by what it watches: `app` hands in
callables that are asked when somebody looks, and passes on events when something happened.

- status        one look at the pool, as data
- live          what only the serving process knows of this moment; live_source asks it
- recent        the last events in words
- page          the look as HTML, of the forms in markup
- books_http    page and API, on the books' socket; queries is what may be asked
- metrics       the figures as Prometheus wants them
- http          what the serving process answers itself; forward passes on the rest
- logs          the form of a log line
"""
